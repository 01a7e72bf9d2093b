from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError

Colour = tuple[int, int, int]
RED, BLACK, BLUE = (255, 0, 0), (0, 0, 0), (0, 0, 255)


def paint(path: Path, indices: np.ndarray, colours: list[Colour]) -> None:
    if path.suffix == ".tif":
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(colours)] = np.array(colours).T * 257
        tifffile.imwrite(path, indices, photometric="palette", colormap=table)
    else:
        image = Image.fromarray(indices)
        image.putpalette([part for colour in colours for part in colour])
        image.save(path)


def masks_of(root: Path, suffix: str = ".png") -> list[Path]:
    """The masks as indices 0 and 1, black and red."""
    paths = sorted((root / "masks").iterdir())
    for path in paths:
        indices = (np.asarray(Image.open(path)) == 9).astype(np.uint8)
        path.unlink()
        paint(path.with_suffix(suffix), indices, [BLACK, RED])
    return [path.with_suffix(suffix) for path in paths]


def survey_data(root: Path) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", masks=root / "masks"))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_indices_that_change_places_are_refused(folder: Any, suffix: str) -> None:
    root = folder(5)
    paths = masks_of(root, suffix)
    indices = tifffile.imread(paths[3]) if suffix == ".tif" else np.asarray(Image.open(paths[3]))
    paint(paths[3], 1 - indices, [RED, BLACK])
    with pytest.raises(InputError, match=r"its palette shows value [01] in #.*s\d\.(png|tif) in #\w+; a value must"):
        survey_data(root)


def test_a_colour_that_has_two_values_is_refused(folder: Any) -> None:
    root = folder(5)
    paths = masks_of(root)
    paint(paths[3], 2 * np.asarray(Image.open(paths[3])), [BLACK, BLUE, RED])
    with pytest.raises(InputError, match=r"its palette shows #ff0000 for value"):
        survey_data(root)


def test_colours_of_unused_indices_say_nothing(folder: Any) -> None:
    root = folder(5)
    paths = masks_of(root)
    paint(paths[3], np.asarray(Image.open(paths[3])), [BLACK, RED, BLUE])
    assert survey_data(root).values == (0, 1)


def test_other_masks_are_held_against_those_of_training(folder: Any, tmp_path: Path) -> None:
    root = folder(5)
    paths = masks_of(root)
    info = survey_data(root)
    paint(tmp_path / "other.png", 1 - np.asarray(Image.open(paths[0])), [RED, BLACK])
    with pytest.raises(InputError, match=r"other\.png: its palette shows value 0 in #ff0000, .*s\d\.png in #000000"):
        load_labels(str(tmp_path / "other.png"), info, FileCache(), checked=False)
