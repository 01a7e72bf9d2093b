"""Settings of predictions of images. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, model_validator

from multiunet.domains.config import PredictClasses, option
from multiunet.domains.image.config.data import PIXEL_SIZE
from multiunet.domains.image.config.types import ChannelList, CropBar, PixelSize
from multiunet.domains.setting_types import Bytes, PrecisionName, split_commas
from multiunet.domains.tiled_options import PredictTiles

ExportKind = Literal[
    "class",
    "instance",
    "probabilities",
    "restored",
    "mean",
    "uncertainty",
    "epistemic",
    "aleatoric",
    "set",
    "interval",
    "confidence",
]
"""Files of a predicted image; ``writers.KINDS`` has those of each task."""

VIEWS = (
    "take each mirrored view (4 in 2-D, 8 in 3-D) as a sample, so that what views disagree about is epistemic; "
    "default: their outputs are averaged"
)

FLIPS = "average all mirrored views; default: as trained"

PREDICTION_MEMORY = (
    "memory limit of the whole process (on a GPU: GPU memory), e.g. 8GB; default: 5GB, or half of what is free"
)


class ImagePredict(PredictClasses, PredictTiles):
    """Settings of ``multiunet predict image``."""

    data: ClassVar[str | None] = "images"

    images: Path = option(..., "folder, file, pattern or CSV of images like those trained on", "Data")
    crop_bar: CropBar | None = option(
        None, "cut off the information bar: auto, none, or its rows; default: as trained", "Prediction", text=True
    )
    pixel_size: PixelSize | None = option(None, PIXEL_SIZE, "Data")
    channels: ChannelList | None = option(
        None, "channels to read, in this order, by number (from 1) or name; default: as trained", "Data", text=True
    )
    match_pixel_size: bool = option(
        False,
        "rescale images of another magnification to the training's pixel size; results are on the images' own grid",
        "Prediction",
    )
    tta_flips: bool | None = option(None, FLIPS, "Prediction")
    views_as_samples: bool = option(False, VIEWS, "Prediction")

    tile_size: int | None = option(
        None, "largest side of a tile, pixels; default: what `memory` allows", "Prediction", ge=1
    )
    memory: Bytes | None = option(None, PREDICTION_MEMORY, "Prediction", text=True)
    precision: PrecisionName | None = option(None, "auto, 32 or bf16; default: as trained", "Prediction")
    tile_batch: int | None = option(
        None, "tiles per forward pass; default: 1, on a GPU as many as fit into memory", "Prediction", ge=1
    )
    confidence: bool = option(
        True,
        "of each object, or connected part of a class: the share of samples in which it is found (not of quantities, "
        "nor of one sample)",
        "Prediction",
    )
    export_what: Annotated[list[ExportKind], BeforeValidator(split_commas)] | None = option(
        None,
        "what `export` writes of each image: class, probabilities (of objects: instance, too; of quantities: mean; of "
        "restored images: restored), "
        "uncertainty, epistemic, aleatoric; of classes confidence; with `sets`: set; with `interval`: interval; "
        "default: class (and instance; or mean) and uncertainty, and those of `sets` or `interval`",
        "Prediction",
        min_length=1,
    )

    def other_samples(self) -> tuple[str, ...]:
        return ("of each mirrored view",) if self.views_as_samples else ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_views(self.views_as_samples, self.tta_flips)
        if self.export_what is not None and self.export is None:
            raise ValueError("`export_what` says what is written into `export=DIR`; give that, too")
        for kind, setting, asked in (("set", "sets", self.sets), ("interval", "interval", self.interval)):
            if kind in (self.export_what or ()) and asked is None:
                raise ValueError(f"`export_what={kind}`: the prediction has none; give `{setting}=0.9`, too")
        return self


def check_views(as_samples: bool, averaged: bool | None) -> None:
    """Check that mirrored views are asked for in one way.

    Raises:
        ValueError: where they are to be samples, and averaged or left out, too.
    """
    if as_samples and averaged is not None:
        raise ValueError("`views_as_samples` and `tta_flips` say different things of mirrored views; give one")
