"""The doors of the package, opened as a person in a notebook would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from multiunet_datasets.synthetic import write_polycrystal

import multiunet
from multiunet.domains.training import plan
from multiunet.errors import InputError
from multiunet.progress import Progress

SHORT: dict[str, Any] = {"patch_size": 32, "epochs": 1, "steps_per_epoch": 1}


def test_a_run_is_scored_after_its_training_data_are_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_polycrystal(tmp_path / "data", images=5, size=48, grains=6)
    write_polycrystal(tmp_path / "other", images=2, size=48, grains=6, seed=1)
    settings = {"images": tmp_path / "data/images", "masks": tmp_path / "data/masks", "widths": [4, 8]}
    multiunet.train("image", settings | SHORT, tmp_path / "run", progress=Progress())
    other = {"images": tmp_path / "other/images", "masks": tmp_path / "other/masks"}
    assert list(multiunet.evaluate(tmp_path / "run", other).baselines) == ["majority", "otsu"]
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    assert list(multiunet.evaluate(tmp_path / "run", other).baselines) == ["majority"]
    assert "this training file is no longer there" in caplog.text


def test_text_and_mappings_are_paths_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_polycrystal(tmp_path / "data", images=5, size=48, grains=6)
    monkeypatch.chdir(tmp_path)
    images = "data/images"
    settings = {"images": images, "masks": "data/masks", "widths": [4, 8], **SHORT}
    assert plan("image", settings, "run").info.patch_size == (32, 32)
    multiunet.train("image", settings, "run", progress=Progress())
    assert multiunet.evaluate("run", {"split": "val"}).scored == "val split"
    assert multiunet.evaluate(["run"]).scored == "test split"
    multiunet.predict("run", {"images": images, "samples": 1}, "p.zarr")
    assert len(multiunet.open_prediction("p.zarr")) == 5
    with pytest.raises(InputError, match=r"settings: `images` is required; unknown setting 'mask'.*'masks'"):
        multiunet.train("image", {"mask": "data/masks"}, "other")
    with pytest.raises(InputError, match="unknown setting 'sample'"):
        multiunet.predict("run", {"images": images, "sample": 1}, "q.zarr")
