"""Averages of any length: their profile, what snapshots give of them, and a training that is resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from multiunet import Grid, InputError, Recipe, Segmentation, UNet, fit
from multiunet.training.checkpoint import load
from multiunet.training.data import Sample, TrainingData
from multiunet.training.power_average import (
    SNAPSHOTS,
    PowerAverage,
    PowerSnapshots,
    find_gamma,
    is_snapshot_due,
    take_snapshot,
)
from multiunet.training.run_folder import RunFolder

STEPS = 400
LENGTHS = (0.05, 0.1)


@pytest.mark.parametrize("length", [0.03, 0.05, 0.1, 0.25])
def test_length_is_the_deviation_of_the_steps_that_count(length: float) -> None:
    """By integrating the density ``(gamma + 1) t^gamma`` on [0, 1]."""
    gamma = find_gamma(length)
    mean, square = (gamma + 1) / (gamma + 2), (gamma + 1) / (gamma + 3)
    assert (square - mean**2) ** 0.5 == pytest.approx(length)


def test_a_step_counts_by_a_power_of_its_number() -> None:
    net = nn.Linear(1, 1, bias=False)
    average = PowerAverage(net, 0.1)
    weights = np.random.default_rng(0).normal(size=50)
    for step, weight in enumerate(weights):
        net.weight.data.fill_(weight)
        average.update(net, step)
    edges = (np.arange(51) / 50) ** (average.gamma + 1)  # the integral of the density over each step
    assert float(average.net.weight) == pytest.approx(float(np.diff(edges) @ weights), abs=1e-6)


def walk(folder: Path) -> dict[float, PowerAverage]:
    """Average a walk of weights directly and by snapshots, and count its steps in a buffer."""
    net = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    direct = {length: PowerAverage(net, length) for length in (*LENGTHS, 0.07, 0.15)}
    snapshots, rng = PowerSnapshots(folder), torch.Generator().manual_seed(1)
    for step in range(STEPS):
        with torch.no_grad():
            net[0].weight.add_(torch.randn(8, 8, generator=rng))
            net[1].num_batches_tracked.add_(1)
        for average in direct.values():
            average.update(net, step)
        if is_snapshot_due(step + 1, STEPS):
            snapshots.save(take_snapshot([direct[length] for length in LENGTHS], step + 1))
    return direct


def test_any_length_is_made_of_snapshots(tmp_path: Path) -> None:
    direct, snapshots = walk(tmp_path), PowerSnapshots(tmp_path)
    assert list(snapshots.paths()) == [STEPS * (i + 1) // SNAPSHOTS for i in range(SNAPSHOTS)]
    apart = (direct[0.05].net[0].weight - direct[0.1].net[0].weight).norm()
    for length, error in ((0.05, 1e-4), (0.1, 1e-4), (0.07, 0.02), (0.15, 0.08)):
        made = snapshots.reconstruct(length)
        assert made["0.weight"].dtype == torch.float32
        assert float((made["0.weight"] - direct[length].net[0].weight).norm() / apart) < error
        assert int(made["1.num_batches_tracked"]) == STEPS
    nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)).load_state_dict(made)


def test_an_average_may_end_before_the_training(tmp_path: Path) -> None:
    walk(tmp_path)
    half = load(tmp_path / f"average-{STEPS // 2}.safetensors").part("length-0.1")
    made = PowerSnapshots(tmp_path).reconstruct(0.1, step=STEPS // 2)
    torch.testing.assert_close(made["0.weight"], half["0.weight"], rtol=1e-4, atol=1e-4)


def test_without_snapshots_there_is_no_length_to_choose(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no snapshots.*power_averages=0.05,0.1"):
        PowerSnapshots(tmp_path).reconstruct(0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"power_averages": (0.1,)}, "two or more different"),
        ({"power_averages": (0.1, 0.1)}, "two or more different"),
        ({"power_averages": (0.1, 0.3)}, r"\(0, 0.28\]"),
        ({"power_averages": (0.05, 0.1), "ema": 0.9}, "give one of them"),
    ],
)
def test_bad_lengths_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe(**changes)
    with pytest.raises(ValueError, match=r"length 0\.5"):
        find_gamma(0.5)


class Noise(TrainingData):
    """Random images whose class is their sign."""

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        x = torch.from_numpy(rng.normal(size=(1, 1, 8, 8))).float()
        return Sample(x, (x[:, 0] > 0).long())


def train(folder: Path, stop: int | None = None, resume: bool = False) -> RunFolder:
    """Train five epochs of two steps, or stop in validating one."""
    run = RunFolder(folder) if resume else RunFolder.create(folder, {}, {})
    checkpoint = run.resumable()[0] if resume else None
    run.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
    torch.manual_seed(5)
    net, validated = UNet(Grid(2), 1, 2, [4, 6]), []

    def validate(candidate: nn.Module) -> dict[str, float]:
        validated.append({name: part.clone() for name, part in candidate.state_dict().items()})
        if len(validated) == stop:
            raise KeyboardInterrupt
        return {"loss": -float(len(validated))}  # the last is the best

    recipe = Recipe(epochs=5, steps_per_epoch=2, batch_size=2, lr=1e-2, power_averages=LENGTHS)
    signs = Segmentation(["no", "yes"])
    fit(net, signs, Grid(2), Noise(), validate, run=run, recipe=recipe, resume=checkpoint, save_seconds=0)
    return run


def test_a_training_that_is_resumed_has_the_same_averages(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stop=3)
    resumed = train(tmp_path / "stopped", resume=True)
    assert list(whole.averages.paths()) == list(range(1, 11))
    assert whole.averages.paths().keys() == resumed.averages.paths().keys()
    for step, path in whole.averages.paths().items():
        one, two = load(path), load(resumed.averages.paths()[step])
        assert one.state == two.state
        assert all(torch.equal(part, two.tensors[name]) for name, part in one.tensors.items())
    ours, theirs = (load(run.last) for run in (whole, resumed))
    assert ours.part("average-1")
    assert all(torch.equal(part, theirs.tensors[name]) for name, part in ours.tensors.items())
    # the first length is what is validated and kept
    kept, snapshot = load(whole.best).part("model"), load(whole.averages.paths()[10]).part("length-0.05")
    assert all(torch.equal(part, snapshot[name]) for name, part in kept.items())
