from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.inputs import Shelf, load_target
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def facts_of(root: Path, **settings: Any) -> dict[str, Any]:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    return survey(ImageTrain(images=root / "images", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


def test_targets(folder: Any) -> None:
    root = folder(4)
    stack = {}
    for index in range(4):
        stack[index] = np.random.default_rng(index).normal(5, 2, (40, 48)).astype(np.float32)
        stack[index][0, :7] = np.nan
        (root / "targets").mkdir(exist_ok=True)
        tifffile.imwrite(root / f"targets/s{index}.tif", stack[index])
    settings: dict[str, Any] = {"task": "regression", "targets": root / "targets"}
    facts = facts_of(root, **settings)
    known = np.concatenate([stack[int(item["name"][1:])].ravel() for item in facts["split"]["train"]])
    assert (facts["centre"], facts["scale"]) == (
        pytest.approx([np.nanmean(known)], rel=1e-5),
        pytest.approx([np.nanstd(known)], rel=1e-5),
    )
    for index in range(4):
        tifffile.imwrite(root / f"targets/s{index}.tif", np.full((40, 48), 3.0, np.float32))
    with pytest.raises(InputError, match="targets are 3 everywhere"):
        facts_of(root, **settings)
    for index in range(4):
        tifffile.imwrite(root / f"targets/s{index}.tif", np.full((40, 48), np.nan, np.float32))
    with pytest.raises(InputError, match="NaN everywhere"):
        facts_of(root, **settings)


def test_a_number_that_means_not_measured(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4)
    (root / "targets").mkdir()
    for index in range(4):
        heights = np.random.default_rng(index).integers(3, 9, (40, 48)).astype(np.int16)
        heights[:5] = -9999
        tifffile.imwrite(root / f"targets/s{index}.tif", heights)
    settings: dict[str, Any] = {"task": "regression", "targets": root / "targets"}
    facts = facts_of(root, **settings, ignore_value=-9999)
    assert 5 < facts["centre"][0] < 6
    target = load_target(str(root / "targets/s0.tif"), facts, Shelf())
    assert np.isnan(target[0, :5]).all()
    assert not np.isnan(target[0, 5:]).any()
    facts_of(root, **settings, ignore_value=-1)
    assert "--ignore-value -1: no target in" in caplog.text
