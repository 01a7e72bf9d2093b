from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.inputs import load_input
from multiunet.domains.image.shelf import Shelf
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def test_inputs_unlike_those_of_training(folder: Any, tmp_path: Path) -> None:
    facts = survey(ImageTrain(images=folder(5) / "images", masks=tmp_path / "masks"))
    rgb = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match=r"rgb\.png: 3 channels, but the training images have 1"):
        load_input(str(tmp_path / "rgb.png"), facts, Shelf())
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((9, 40, 48), np.uint8))
    with pytest.raises(InputError, match=r"stack\.tif: a volume of 9 x 40 x 48, but the training images have 2 axes"):
        load_input(str(tmp_path / "stack.tif"), facts, Shelf())
    Image.fromarray(np.dstack([rgb[..., 0]] * 3)).save(tmp_path / "grey.png")
    assert load_input(str(tmp_path / "grey.png"), facts, Shelf()).picture.pixels.shape == (1, 40, 48)
