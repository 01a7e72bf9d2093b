"""Runs on images from their settings: folds, and trainings that keep nothing to validate on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions
from multiunet.domains.image.config import ImagePredict, ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.prediction.ensemble import members
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder

SMALL: dict[str, Any] = {"widths": [4, 8], "dropout": 0.2, "memory_format": "contiguous"}


def test_folds_are_pooled_as_if_one_model_had_predicted_all(folder: Any, tmp_path: Path) -> None:
    root = folder(6)
    settings: dict[str, Any] = {**SMALL, "patch_size": [32], "epochs": 1, "steps_per_epoch": 2}
    config = ImageTrain(images=root / "images", masks=root / "masks", folds=3, **settings)
    runs = training.train_all("image", config, tmp_path / "cv", progress=Progress())
    assert [run.name for run in runs] == ["fold-0", "fold-1", "fold-2"]
    raw = EvaluateOptions(raw=True)  # each fold alone is calibrated otherwise than among others
    pooled = inference.evaluate(tmp_path / "cv", raw)
    alone = [inference.evaluate(run, raw) for run in runs]
    assert sorted(pooled.items) == sorted(name for report in alone for name in report.items)
    assert len(pooled.items) == 6
    for report in alone:
        fold = runs[alone.index(report)].name
        for name, scores in report.items.items():
            assert pooled.items[name] == {"fold": fold, **scores}
    assert (alone[0].scored, pooled.scored) == ("test split", "test split, 3 folds pooled")
    # pixels are pooled, not scores: weigh each fold's accuracy by its two images of one size
    accuracies = [report.metrics["pixel_accuracy"] for report in alone]
    assert pooled.metrics["pixel_accuracy"] == pytest.approx(np.mean(accuracies))
    otsu = [report.baselines["otsu"]["pixel_accuracy"] for report in alone]
    assert pooled.baselines["otsu"]["pixel_accuracy"] == pytest.approx(np.mean(otsu))
    for name in ("mean_iou", "pixel_accuracy", "nll"):
        each = [report.metrics[name] for report in alone]
        assert pooled.metrics["each_fold"][name] == each
        assert pooled.metrics["mean_of_folds"][name] == pytest.approx(np.mean(each))
        assert pooled.metrics["sd_of_folds"][name] == pytest.approx(np.std(each))
    assert pooled.baselines["otsu"]["mean_of_folds"]["pixel_accuracy"] == pytest.approx(np.mean(otsu))
    assert "mean_of_folds" not in alone[0].metrics
    shutil.move(runs[2], tmp_path / "aside")
    assert inference.evaluate(tmp_path / "cv").scored == "test split, 2 of 3 folds pooled"
    shutil.move(tmp_path / "aside", runs[2])
    # several folds may validate on one image
    validated = inference.evaluate(tmp_path / "cv", EvaluateOptions(split="val"))
    counted = sum(len(load_run(run).info.split.val) for run in runs)
    assert len(validated.items) == counted
    options = ImagePredict(images=root / "images", samples=2)
    inference.predict(tmp_path / "cv", options, tmp_path / "p.zarr", progress=Progress())
    assert all(data.sizes["sample"] == 6 for data in open_prediction(tmp_path / "p.zarr").values())
    with pytest.raises(InputError, match="another split"):
        inference.evaluate(runs[:2])
    with pytest.raises(InputError, match=r"name one, such as .*fold-0"):
        RunFolder.open(tmp_path / "cv")
    assert len(members(load_run(tmp_path / "cv").net)) == 3
    again = training.train_all("image", config, tmp_path / "cv", resume="auto", progress=Progress())
    assert again == runs


def test_training_on_all_images_keeps_the_last_weights(folder: Any, capfd: pytest.CaptureFixture[str]) -> None:
    root = folder(4)
    config = ImageTrain(
        images=root / "images", masks=root / "masks", **SMALL, val_fraction=0, test_fraction=0.25, epochs=2
    )
    assert "last weights" in training.plan("image", config).info.planned.settings["steps_per_epoch"].reason
    training.train("image", config, root / "run")
    lines = capfd.readouterr().err.splitlines()
    assert any(line.startswith("epoch 2  loss") and "val" not in line for line in lines)
    assert load_run(root / "run").best == {"epoch": 2, "scores": {}}
    assert inference.evaluate(root / "run").metrics["mean_iou"] > 0
    with pytest.raises(InputError, match="val"):
        inference.evaluate(root / "run", EvaluateOptions(split="val"))


@pytest.mark.parametrize(
    ("settings", "said"), [({"patience": 3}, "`patience`"), ({"task": "regression", "loss": "mse"}, "`loss=mse`")]
)
def test_what_is_learnt_from_validation_needs_it(folder: Any, settings: dict[str, Any], said: str) -> None:
    root = folder(4)
    truths = {"targets" if "task" in settings else "masks": root / "masks"}
    config = ImageTrain(images=root / "images", **truths, val_fraction=0, **settings)
    with pytest.raises(InputError, match=f"{said}.*`val_fraction=0` leaves none"):
        ImageDomain().inspect(config)


def test_what_a_paper_says_cannot_be_set(folder: Any) -> None:
    with pytest.raises(ValueError, match="`skip` is for `model=image_unet`; vnet has that of its paper"):
        ImageTrain(images=folder(4), model="vnet", skip="add")
    assert ImageTrain(images=folder(4), model="vnet").levels() == [16, 32, 64, 128, 256]
    assert ImageTrain(images=folder(4), model="vnet", widths=[4, 8]).levels() == [4, 8]
