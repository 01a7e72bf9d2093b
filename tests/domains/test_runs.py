"""Runs whose last epochs' weights are members of an ensemble, and what is said of samples that are all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import zarr
from multiunet_datasets.synthetic import write_polycrystal

import multiunet
from multiunet.domains import remarks, runs
from multiunet.errors import Diverged, InputError
from multiunet.prediction import Ensemble, open_prediction
from multiunet.progress import Progress
from multiunet.training.checkpoint import load, save

SHORT: dict[str, Any] = {"widths": [4, 8], "patch_size": 16, "epochs": 3, "steps_per_epoch": 2, "tta_flips": False}


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Train a small run on made images."""
    write_polycrystal(tmp_path / "data", images=5, size=32, grains=6)
    remarks.remark.cache_clear()

    def make(name: str = "run", **settings: Any) -> Path:
        data = {"images": tmp_path / "data/images", "masks": tmp_path / "data/masks"}
        multiunet.train("image", data | SHORT | settings, tmp_path / name, progress=Progress())
        return tmp_path / name

    return make


def test_the_last_epochs_are_an_ensemble_each_with_its_own_statistics(train: Callable[..., Path]) -> None:
    path = train(keep_last=2)
    opened = runs.load(path, "cpu", checkpoints="last")
    assert isinstance(opened.net, Ensemble)
    assert opened.best == {}
    assert not opened.net.training
    for net, epoch in zip(opened.net.nets, (2, 3)):
        stored = load(path / f"checkpoints/epoch-{epoch}.safetensors").part("model")
        assert any("running_var" in name for name in stored)
        assert all(torch.equal(tensor, stored[name]) for name, tensor in net.state_dict().items())
    assert runs.hash_weights(opened.net) != runs.hash_weights(runs.load(path, "cpu").net)


def test_predictions_of_the_last_epochs_are_their_mixture(train: Callable[..., Path], tmp_path: Path) -> None:
    path = train(keep_last=3, dropout=0)
    options = {"images": tmp_path / "data/images", "checkpoints": "last"}
    multiunet.predict(path, options, tmp_path / "p.zarr", progress=Progress())
    attrs = zarr.open_group(tmp_path / "p.zarr").attrs
    assert attrs["checkpoints"] == "last"
    assert attrs["prediction"] == "one pass without dropout, of each of 3 kept checkpoints"
    found = next(iter(open_prediction(tmp_path / "p.zarr").values())).load()
    assert float(found["epistemic"].max()) > 0
    assert found.sizes["sample"] == 3
    assert multiunet.evaluate(path, {"checkpoints": "last"}).prediction == attrs["prediction"]


def test_the_last_epochs_of_several_runs_are_one_ensemble(train: Callable[..., Path]) -> None:
    paths = [train(str(seed), seed=seed, keep_last=2, test_fraction=0.2, val_fraction=0.2) for seed in range(2)]
    joined = runs.load(paths, "cpu", checkpoints="last")
    assert isinstance(joined.net, Ensemble)
    assert len(joined.net.nets) == len(joined.net.tasks) == 4


def test_a_run_that_kept_none_says_so(train: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="trained without `keep_last`, so the weights of its last epochs are gone"):
        multiunet.evaluate(train(), {"checkpoints": "last"})
    path = train("short", keep_last=5)
    with caplog.at_level(logging.WARNING):
        runs.load(path, "cpu", checkpoints="last")
    assert "keeps the weights of 3 epochs, not of 5; these are taken" in caplog.text
    (path / "checkpoints/epoch-2.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"epoch-2\.safetensors: the checkpoint is damaged"):
        runs.load(path, "cpu", checkpoints="last")
    for kept in path.glob("checkpoints/epoch-*"):
        kept.unlink()
    with pytest.raises(InputError, match="no weights of its last epochs are kept yet"):
        runs.load(path, "cpu", checkpoints="last")


def test_a_resumed_run_must_keep_as_many(train: Callable[..., Path], tmp_path: Path) -> None:
    path = train(keep_last=2)
    data = {"images": tmp_path / "data/images", "masks": tmp_path / "data/masks"}
    with pytest.raises(InputError, match=r"cannot resume with other settings .*keep_last: 2 then, 3 now"):
        multiunet.train("image", data | SHORT | {"keep_last": 3}, path, resume="auto", progress=Progress())


def test_samples_of_a_run_without_dropout(
    train: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = train(dropout=0)
    images = {"images": tmp_path / "data/images"}
    assert multiunet.evaluate(path).prediction == "one pass without dropout"
    assert "trained without dropout, so one sample is taken, not several; epistemic is 0 by definition" in caplog.text
    for call in (
        lambda: multiunet.evaluate(path, {"samples": 4}),
        lambda: multiunet.predict(path, images | {"samples": 4}, tmp_path / "p.zarr"),
    ):
        with pytest.raises(
            InputError, match=r"`samples=4`: .* trained without dropout, so all samples would be the same"
        ):
            call()
    assert not (tmp_path / "p.zarr").exists()


def test_one_sample_says_that_epistemic_is_zero(
    train: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, zero = train(keep_last=2), "epistemic is 0 by definition"
    for options in ({"checkpoints": "last"}, {"views_as_samples": True}):  # several samples for other reasons
        multiunet.evaluate(path, options | {"samples": 1})
        assert zero not in caplog.text
    assert multiunet.evaluate(path, {"samples": 1}).prediction == "one pass without dropout"
    assert f"`samples=1`: a single pass without dropout, so {zero}" in caplog.text


def test_outputs_that_are_not_finite_are_refused(train: Callable[..., Path], tmp_path: Path) -> None:
    path = train(calibrate=False)
    best = load(path / "checkpoints/best.safetensors")
    huge = {name: tensor * 1e30 if name.endswith("weight") else tensor for name, tensor in best.tensors.items()}
    save(path / "checkpoints/best.safetensors", type(best)(huge, best.state))
    for samples in (1, 4):
        with pytest.raises(Diverged, match=r"output is not finite .* although its input is"):
            multiunet.predict(
                path, {"images": tmp_path / "data/images", "samples": samples}, tmp_path / "p.zarr", progress=Progress()
            )
        assert not (tmp_path / "p.zarr").exists()
