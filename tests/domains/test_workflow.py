"""The doors of the package, opened as a person in a notebook would."""

from __future__ import annotations

from pathlib import Path

import pytest
from multiunet_datasets.synthetic import write_polycrystal

import multiunet
from multiunet.domains.workflow import plan
from multiunet.errors import InputError
from multiunet.training.progress import Reporter


def test_text_and_mappings_are_paths_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_polycrystal(tmp_path / "data", images=5, size=48, grains=6)
    monkeypatch.chdir(tmp_path)
    images = "data/images"
    settings = dict(images=images, masks="data/masks", widths=[4, 8], patch_size=32, epochs=1, steps_per_epoch=1)
    assert plan("image", settings, "run").facts["patch_size"] == [32, 32]
    multiunet.train("image", settings, "run", reporter=Reporter())
    assert multiunet.evaluate("run", {"split": "val"}).scored == "val split"
    assert multiunet.evaluate(["run"]).scored == "test split"
    multiunet.predict("run", {"images": images, "samples": 1}, "p.zarr")
    assert len(multiunet.open_prediction("p.zarr")) == 5
    with pytest.raises(InputError, match=r"settings: --images is required; unknown setting 'mask'.*'masks'"):
        multiunet.train("image", {"mask": "data/masks"}, "other")
    with pytest.raises(InputError, match="unknown setting 'sample'"):
        multiunet.predict("run", {"images": images, "sample": 1}, "q.zarr")
