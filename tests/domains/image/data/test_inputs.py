from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.files import readers
from multiunet.domains.image.files.lazy import summarise
from multiunet.domains.image.info import Intensities
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def test_inputs_unlike_those_of_training(folder: Any, tmp_path: Path) -> None:
    info = survey(ImageTrain(images=folder(5) / "images", masks=tmp_path / "masks"))
    rgb = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match=r"rgb\.png: 3 channels, but the training images have 1"):
        load_input(str(tmp_path / "rgb.png"), info, FileCache())
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((9, 40, 48), np.uint8))
    with pytest.raises(InputError, match=r"stack\.tif: a volume of 9 x 40 x 48, but the training images have 2 axes"):
        load_input(str(tmp_path / "stack.tif"), info, FileCache())
    Image.fromarray(np.dstack([rgb[..., 0]] * 3)).save(tmp_path / "grey.png")
    assert load_input(str(tmp_path / "grey.png"), info, FileCache()).picture.pixels.shape == (1, 40, 48)


@pytest.mark.parametrize("kind", ["image", "train"])
@pytest.mark.parametrize("known", [{}, {"pixel_size": (0.5, 0.5)}])
def test_the_numbers_of_an_image_are_passed_over_once(
    kind: str, known: dict[str, Any], make_info: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).normal(5, 2, (30, 40)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    passes = []
    monkeypatch.setattr(readers, "summarise", lambda given: passes.append(given) or summarise(given))
    moments: dict[str, Any] = {"mean": (1.0,), "deviation": (3.0,)} if kind == "train" else {}
    info = make_info(intensities=Intensities(kind=kind, **moments), **known)
    loaded = load_input(str(tmp_path / "a.tif"), info, FileCache())
    assert loaded.picture.summary.low == pixels.min()
    assert len(passes) == 1
    assert loaded.picture.spacing == ((0.5, 0.5) if known else None)
    shift, scale = (pixels.mean(), pixels.std()) if kind == "image" else (1.0, 3.0)
    np.testing.assert_allclose(loaded.window((2, 3), (9, 9))[0], (pixels[2:9, 3:9] - shift) / scale, atol=1e-5)


def test_one_channel_where_three_are_wanted(make_info: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.eye(20, dtype=np.uint8))
    info = make_info(channels=3, colour="rgb")
    with pytest.raises(InputError, match=r"a\.tif: 1 channel, but the training images have 3"):
        load_input(str(tmp_path / "a.tif"), info, FileCache())
