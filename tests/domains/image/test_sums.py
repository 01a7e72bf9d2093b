"""From training to intervals of sums: what a run learns on its validation images comes back in its measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from multiunet.domains import inference, training
from multiunet.domains.calibration_file import read_fits
from multiunet.domains.image.config import ImageTrain
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"widths": [4, 8], "patch_size": [32], "dropout": 0.0, "epochs": 1, "steps_per_epoch": 1}


def test_intervals_come_from_the_validation_images(cells: Path, tmp_path: Path) -> None:
    split = {"val_fraction": 0.5, "test_fraction": 0.0}
    config = ImageTrain(images=cells / "images", masks=cells / "masks", instances=True, **SMALL, **split)
    training.train("image", config, tmp_path / "run", progress=Progress())
    [fit] = read_fits(tmp_path / "run")
    assert sorted(fit.sums) == ["objects", "sites"]
    assert set(fit.sums["sites"]["items"]) == {3}
    options = {"images": cells / "images", "samples": 1}
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr", "image", Progress())
    phases = inference.measure("image", {"prediction": tmp_path / "p.zarr"})["phases"]
    for phase in phases:
        assert 0 <= phase["fraction_low"] <= phase["fraction_estimate"] <= phase["fraction_high"] <= 1
        assert phase["fraction_sd"] > 0
    stated = [phase["objects_high"] for phase in phases if phase["phase"] == "object"]
    assert len(stated) == 7
    assert all(high is not None for high in stated)
    inference.predict(tmp_path / "run", {**options, "raw": True}, tmp_path / "raw.zarr", "image", Progress())
    assert inference.measure("image", {"prediction": tmp_path / "raw.zarr"})["phases"][0]["fraction_low"] is None
