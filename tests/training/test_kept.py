"""Weights of the last epochs: those that were validated, no more than asked for, the same after a resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from multiunet import Grid, InputError, Recipe, Segmentation, UNet, fit
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.data import Sample, TrainingData
from multiunet.training.kept import KeptCheckpoints
from multiunet.training.records import MemoryRecords
from multiunet.training.run_folder import RunFolder
from multiunet.training.signals import Stopped

SIGNS = Segmentation(["no", "yes"])


class Noise(TrainingData):
    """Random images whose class is their sign."""

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        x = torch.from_numpy(rng.normal(size=(1, 1, 8, 8))).float()
        return Sample(x, (x[:, 0] > 0).long())


def network() -> UNet:
    torch.manual_seed(5)
    return UNet(Grid(2), 1, 2, [4, 6])


def recipe(**changes: Any) -> Recipe:
    return Recipe(
        **{"epochs": 5, "steps_per_epoch": 2, "batch_size": 2, "keep_last": 3, "lr": 1e-2, "ema": 0.5} | changes
    )


def train(
    folder: Path, chosen: Recipe, resume: bool = False, stop: int | None = None, validated: bool = True
) -> tuple[RunFolder, dict[int, dict[str, torch.Tensor]]]:
    """Train, or stop in validating epoch ``stop``; return the run, and the weights that validation saw, by epoch."""
    run = RunFolder(folder) if folder.exists() else RunFolder.create(folder, {}, {})
    checkpoint = run.resumable()[0] if resume else None
    done = 0 if checkpoint is None else checkpoint.state["progress"]["epoch"]
    run.rewind(done)
    seen: dict[int, dict[str, torch.Tensor]] = {}

    def validate(net: nn.Module) -> Mapping[str, Any]:
        epoch = (done + len(seen) + 1) * chosen.validate_every
        seen[min(epoch, chosen.epochs)] = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        if epoch == stop:
            raise KeyboardInterrupt
        return {"loss": float(epoch)}  # the first is the best

    check = validate if validated else None
    fit(network(), SIGNS, Grid(2), Noise(), check, run=run, recipe=chosen, resume=checkpoint, save_seconds=0)
    return run, seen


def test_the_weights_that_were_validated_last_are_kept(tmp_path: Path) -> None:
    run, seen = train(tmp_path / "run", recipe())
    assert [path.name for path in run.kept.paths().values()] == [f"epoch-{epoch}.safetensors" for epoch in (3, 4, 5)]
    assert run.weights()[1]["epoch"] == 1
    for epoch, checkpoint in zip((3, 4, 5), run.kept.load()):
        assert checkpoint.state == {"epoch": epoch, "scores": {"loss": float(epoch)}}
        assert checkpoint.part("model").keys() == seen[epoch].keys()  # weights alone, with the norms' statistics
        assert all(torch.equal(tensor, seen[epoch][name]) for name, tensor in checkpoint.part("model").items())
    assert sorted(path.stem for path in (run.path / "checkpoints").iterdir()) == [
        "best", "epoch-3", "epoch-4", "epoch-5", "last", "previous",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "validated", "epochs"),
    [
        ({"keep_last": None}, True, []),
        ({"keep_last": 9}, True, [1, 2, 3, 4, 5]),
        ({"validate_every": 2}, True, [2, 4, 5]),
        ({"validate_every": 2}, False, [2, 4, 5]),
        ({}, False, [3, 4, 5]),
    ],
)
def test_epochs_that_count_are_those_to_validate(
    tmp_path: Path, changes: dict[str, Any], validated: bool, epochs: list[int]
) -> None:
    run, _ = train(tmp_path / "run", recipe(**changes), validated=validated)
    assert list(run.kept.paths()) == epochs
    if not validated:
        assert run.weights()[1] == {"epoch": 5, "scores": {}}


@pytest.mark.parametrize("stop", [2, 4, 5])
def test_a_resumed_run_keeps_the_same_bits(tmp_path: Path, stop: int) -> None:
    whole, _ = train(tmp_path / "whole", recipe())
    with pytest.raises((KeyboardInterrupt, Stopped)):
        train(tmp_path / "cut", recipe(), stop=stop)
    run, _ = train(tmp_path / "cut", recipe(), resume=True)
    assert [path.read_bytes() for path in run.kept.paths().values()] == [
        path.read_bytes() for path in whole.kept.paths().values()
    ]


def test_a_run_that_falls_back_forgets_what_it_goes_through_once_more(tmp_path: Path) -> None:
    run, _ = train(tmp_path / "run", recipe())
    before = {epoch: path.read_bytes() for epoch, path in run.kept.paths().items()}
    run.rewind(4)
    assert list(run.kept.paths()) == [3, 4]
    run.rewind(0)
    assert run.kept.paths() == {}
    assert list(before) == [3, 4, 5]


def test_without_a_run_folder_they_are_kept_in_memory() -> None:
    records = MemoryRecords()
    net = network()
    fit(net, SIGNS, Grid(2), Noise(), run=records, recipe=recipe(ema=0))
    assert len(records.kept) == 3
    assert all(torch.equal(tensor, net.state_dict()[name]) for name, tensor in records.kept[-1].items())
    assert not torch.equal(records.kept[0]["head.weight"], records.kept[1]["head.weight"])


def test_files_of_other_names_are_no_checkpoints_and_damaged_ones_are_named(tmp_path: Path) -> None:
    kept = KeptCheckpoints(tmp_path)
    for epoch in (9, 10):
        kept.save(Checkpoint({"model.a": torch.ones(2)}, {"epoch": epoch, "scores": {}}), most=2)
    (tmp_path / "epoch-x.safetensors").write_bytes(b"")
    (tmp_path / "epoch-11.txt").write_bytes(b"")
    assert [checkpoint.state["epoch"] for checkpoint in kept.load()] == [9, 10]
    (tmp_path / "epoch-9.safetensors").rename(tmp_path / "epoch-7.safetensors")
    with pytest.raises(InputError, match=r"epoch-7\.safetensors: holds epoch 9"):
        kept.load()
    (tmp_path / "epoch-7.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"epoch-7\.safetensors: the checkpoint is damaged"):
        kept.load()


def test_one_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="keep_last 1 must be at least 2: one is no ensemble"):
        Recipe(keep_last=1)
