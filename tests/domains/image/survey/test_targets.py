from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_target
from multiunet.domains.image.files.readers import read_target
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey, targets
from multiunet.errors import InputError


def survey_data(root: Path, **settings: Any) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", targets=root / "targets", task="regression", **settings))


def save_targets(root: Path, make: Callable[[np.random.Generator], np.ndarray], kind: type = np.float32) -> None:
    (root / "targets").mkdir(exist_ok=True)
    for index in range(4):
        target = make(np.random.default_rng(index)).astype(kind)
        axes = {"axes": "CYX"[-target.ndim :]}
        tifffile.imwrite(root / f"targets/s{index}.tif", target, photometric="minisblack", metadata=axes)


def test_targets(folder: Any) -> None:
    root = folder(4)

    def partly_known(rng: np.random.Generator) -> np.ndarray:
        heights = rng.normal(5, 2, (40, 48))
        heights[0, :7] = np.nan
        return heights

    save_targets(root, partly_known)
    info = survey_data(root)
    known = np.concatenate([tifffile.imread(item.target).ravel() for item in info.split.train])
    assert (info.quantities.centre, info.quantities.scale) == (
        pytest.approx([np.nanmean(known)], rel=1e-5),
        pytest.approx([np.nanstd(known)], rel=1e-5),
    )


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_targets_are_of_any_unit(folder: Any, unit: float) -> None:
    root = folder(4)
    save_targets(root, lambda rng: unit * rng.normal(5, 2, (40, 48)))
    assert survey_data(root).quantities.scale == pytest.approx([2 * unit], rel=0.1)


@pytest.mark.parametrize("value", [3.0, 0.1, -1e7, 0.0])
def test_constant_targets_are_refused(folder: Any, value: float) -> None:
    root = folder(4)
    save_targets(root, lambda rng: np.full((40, 48), value))
    with pytest.raises(InputError, match=f"the training targets are {value:g} everywhere".replace("+", "[+]")):
        survey_data(root)


def test_the_channel_without_anything_to_learn_is_named(folder: Any) -> None:
    root = folder(4)
    save_targets(root, lambda rng: np.stack([1e-9 * rng.normal(size=(40, 48)), np.full((40, 48), 7.0)]))
    with pytest.raises(InputError, match=r"targets: channel 1 of the training targets \(the first is 0\) is 7 every"):
        survey_data(root)
    save_targets(root, lambda rng: np.stack([np.full((40, 48), np.nan), rng.normal(size=(40, 48))]))
    with pytest.raises(InputError, match=r"targets: channel 0 of .* is NaN everywhere"):
        survey_data(root)


def test_other_numbers_of_quantities(folder: Any) -> None:
    root = folder(4)
    save_targets(root, lambda rng: rng.normal(size=(2, 40, 48)))
    tifffile.imwrite(root / "targets/s2.tif", np.ones((40, 48), np.float32))
    with pytest.raises(InputError, match=r"s\d\.tif: has \d channels, but .*s\d\.tif has \d; they must be alike"):
        survey_data(root)


def test_a_number_that_means_not_measured(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4)

    def partly_measured(rng: np.random.Generator) -> np.ndarray:
        heights = rng.integers(3, 9, (40, 48))
        heights[:5] = -9999
        return heights

    save_targets(root, partly_measured, np.int16)
    info = survey_data(root, ignore_value=-9999)
    assert not caplog.text
    assert 5 < info.quantities.centre[0] < 6
    target = load_target(str(root / "targets/s0.tif"), info, FileCache())
    assert np.isnan(target[0, :5]).all()
    assert not np.isnan(target[0, 5:]).any()
    survey_data(root, ignore_value=-1)
    assert "`ignore_value=-1`: no target in" in caplog.text


def test_targets_are_read_once(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root, read = folder(4), []
    save_targets(root, lambda rng: rng.normal(size=(40, 48)))
    monkeypatch.setattr(targets, "read_target", lambda path, *more: read.append(path.name) or read_target(path, *more))
    survey_data(root)
    assert sorted(read) == [f"s{index}.tif" for index in range(4)]
