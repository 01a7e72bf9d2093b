"""Settings of measures of predicted images. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.config import Options, option
from multiunet.domains.image.config.data import PIXEL_SIZE
from multiunet.domains.image.config.types import PixelSize
from multiunet.domains.setting_types import StrList


class ImageMeasure(Options):
    """Settings of ``multiunet measure image``."""

    prediction: Path = option(..., "what `multiunet predict image` wrote, NAME.zarr", "Data")
    objects: StrList | None = option(
        None,
        "names (or mask values) of the classes whose objects are counted; default: all but the one that covers most",
        "Data",
    )
    regions: Path | None = option(
        None,
        "masks that number regions of the images, named like them: sums and means of quantities (or probabilities of "
        "classes) over each",
        "Data",
    )
    min_size: int = option(1, "pixels; smaller objects are left out", "Data", ge=1)
    shapes: bool = option(
        True, "describe each object's shape: Feret diameters, length of its skeleton, elongation, orientation", "Data"
    )
    intensity: bool = option(True, "mean intensity under each object, of the image files that were predicted", "Data")
    thickness: StrList | None = option(
        None,
        "thickness of the classes in `objects`: local (the largest ball that fits in), or x, y or z: along that axis",
        "Data",
    )
    pixel_size: PixelSize | None = option(None, PIXEL_SIZE, "Data")
    overwrite: bool = option(False, "replace files in `out`", "Output")
