"""Calibration of trained runs: fitted on held-out data, kept with the run, used where it predicts."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from multiunet_datasets.synthetic import write_graph_set, write_polycrystal

import multiunet
from multiunet.domains.calibration_file import FILE, read_fits
from multiunet.domains.runs import hash_weights
from multiunet.domains.runs import load as load_run
from multiunet.domains.training import train_all
from multiunet.errors import InputError
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"patch_size": 32, "epochs": 1, "steps_per_epoch": 2, "widths": [4, 8]}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of images, ``run``; its data, ``data``; and ``other`` data."""
    folder = tmp_path_factory.mktemp("images")
    write_polycrystal(folder / "data", images=8, size=48, grains=6)
    write_polycrystal(folder / "other", images=2, size=48, grains=6, seed=1)
    settings = {"images": folder / "data/images", "masks": folder / "data/masks", "val_fraction": 0.25}
    multiunet.train("image", settings | SMALL, folder / "run", progress=Progress())
    return folder


def test_training_ends_with_a_calibration_of_the_network_and_of_its_samples(images: Path) -> None:
    fits = read_fits(images / "run")
    assert [fit.samples for fit in fits] == [1, 16]
    assert {fit.weights for fit in fits} == {hash_weights(load_run(images / "run").net)}
    assert {fit.groups for fit in fits} == {2}


def test_temperature_of_validation_is_that_of_scaled_logits(images: Path) -> None:
    """The peer: cross-entropy of the logits of whole images, minimised over a grid of temperatures."""
    [fit, _] = read_fits(images / "run")
    stored = multiunet.evaluate(images / "run", {"split": "val", "samples": 1, "raw": True}).metrics["nll"]
    assert fit.calibration.kind == "classes"
    calibrated = multiunet.evaluate(images / "run", {"split": "val", "samples": 1}).metrics["nll"]
    assert calibrated < stored
    run = load_run(images / "run")
    pieces = list(
        run.domain.predict_sites(
            run.model, run.config, run.info, run.domain.read(run.config, run.info, _options(run)), _options(run)
        )
    )
    logs = torch.cat([piece.predicted.movedim(1, -1).reshape(-1, piece.predicted.shape[1]).log() for piece in pieces])
    truth = torch.cat([piece.target.reshape(-1) for piece in pieces]).long()
    grid = np.exp(np.linspace(math.log(0.05), math.log(20), 400))
    losses = [float(torch.nn.functional.cross_entropy(logs / t, truth)) for t in grid]
    assert fit.calibration.temperature == pytest.approx(grid[int(np.argmin(losses))], rel=0.03)


def _options(run: Any) -> Any:
    return run.spec.calibrate(samples=1)


def test_stored_predictions_are_calibrated_and_say_so(images: Path, tmp_path: Path) -> None:
    settings = {"images": images / "other/images", "samples": 2}
    for name, raw in (("calibrated", False), ("raw", True)):
        multiunet.predict(images / "run", settings | {"raw": raw}, tmp_path / f"{name}.zarr")
    [found, *_], [stated, *_] = (
        multiunet.open_prediction(tmp_path / f"{name}.zarr").values() for name in ("calibrated", "raw")
    )
    temperature = read_fits(images / "run")[1].calibration.temperature  # type: ignore[union-attr]
    powered = stated["mean"].values ** (1 / temperature)
    np.testing.assert_allclose(found["mean"].values, powered / powered.sum(axis=0), atol=1e-5)
    np.testing.assert_array_equal(found["total"].values, found["epistemic"].values + found["aleatoric"].values)
    assert (found["class"].values == stated["class"].values).all()


def test_calibration_of_other_weights_is_refused(images: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(images / "run", run)
    text = (run / FILE).read_text()
    (run / FILE).write_text(text.replace(read_fits(run)[0].weights, "0" * 16))
    with pytest.raises(InputError, match=r"calibration\.json: is the calibration of other weights"):
        multiunet.evaluate(run)
    multiunet.evaluate(run, {"raw": True})
    multiunet.calibrate(run)
    multiunet.evaluate(run)


def test_without_a_calibration_predictions_are_as_stated(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(images / "run", tmp_path / "copy")
    (tmp_path / "copy" / FILE).unlink()
    bare = multiunet.evaluate(tmp_path / "copy", {"samples": 1}).metrics
    assert "is not calibrated" in caplog.text
    assert bare == multiunet.evaluate(images / "run", {"samples": 1, "raw": True}).metrics


def test_data_that_were_trained_on_calibrate_nothing(images: Path) -> None:
    seen = {"images": images / "data/images", "masks": images / "data/masks"}
    with pytest.raises(InputError, match="were trained or validated on"):
        multiunet.calibrate(images / "run", seen)
    with pytest.raises(InputError, match="training split calibrates nothing"):
        multiunet.calibrate(images / "run", {"split": "train"})


def test_other_data_calibrate(images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "run", tmp_path / "copy")
    other = {"images": images / "other/images", "masks": images / "other/masks", "samples": 1}
    [fit] = multiunet.calibrate(tmp_path / "copy", other)
    assert fit.source.endswith("images")


def test_an_ensemble_has_a_calibration_of_its_own(images: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "a", tmp_path / "b"]
    for run in runs:
        shutil.copytree(images / "run", run)
    weights = {fit.weights for fit in read_fits(runs[0])}
    [network, sampled] = multiunet.calibrate(runs)
    assert network.members == sampled.members == 2
    kept = read_fits(runs[0])
    assert len(kept) == 4
    assert {fit.weights for fit in kept} == {*weights, network.weights}


def test_folds_are_calibrated_on_all_that_they_were_validated_on(tmp_path: Path) -> None:
    graphs = write_graph_set(tmp_path / "data", count=18)
    settings = {"graphs": graphs, "widths": [4, 4], "epochs": 2, "folds": 3}
    folds = train_all("graphs", settings, tmp_path / "runs", progress=Progress())
    each = [read_fits(fold)[0] for fold in folds]
    together = [fit for fit in read_fits(tmp_path / "runs") if fit.members == 3]
    assert [fit.samples for fit in together] == [1, 16]
    validated = {graph for fold in folds for graph in load_run(fold).info.split.val}
    assert together[0].groups == len(validated)
    own = [fit for fit in read_fits(tmp_path / "runs") if fit.members == 1 and fit.samples == 1]
    assert {fit.weights for fit in own} == {fit.weights for fit in each}
    # what a fold is tested on, others were validated on: it is left out
    assert all(fit.groups < together[0].groups for fit in own)
    assert multiunet.evaluate(tmp_path / "runs").metrics["nll"] is not None
