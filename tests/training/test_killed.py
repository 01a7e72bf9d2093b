"""A training that is killed at any file operation goes on to the bits of one that was not."""

from __future__ import annotations

import builtins
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from multiunet import Grid, InputError, Recipe, Segmentation, UNet, fit
from multiunet.lock import lock_run
from multiunet.progress import ConsoleProgress
from multiunet.training import checkpoint, compute
from multiunet.training.checkpoint import load
from multiunet.training.data import Sample, TrainingData
from multiunet.training.run_folder import RunFolder

RECIPE = Recipe(epochs=2, batch_size=2, seed=3, lr=1e-2, device="cpu", precision="32")


class Killed(BaseException):
    """What a process that is killed does not live to see."""


class Noise(TrainingData):
    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        x = torch.from_numpy(rng.normal(item, 1.0, (1, 1, 8))).float()
        return Sample(x, (x[:, 0] > 1).long())


def train(folder: Path, recipe: Recipe = RECIPE) -> None:
    """As ``multiunet train`` does it."""
    with lock_run(folder):
        train_locked(folder, recipe)


def train_locked(folder: Path, recipe: Recipe) -> None:
    run = RunFolder(folder) if (folder / "config.yaml").exists() else RunFolder.create(folder, {"a": 1}, {})
    last, _ = run.resumable()
    run.rewind(0 if last is None else last.state["progress"]["epoch"])
    run.begin()
    torch.manual_seed(5)
    net, task = UNet(Grid(1), 1, 2, [2, 2]), Segmentation(["no", "yes"])
    x = torch.linspace(-1, 3, 8)[None, None]

    def validate(candidate: nn.Module) -> dict[str, float]:
        loss = float(task.loss(candidate(x), (x[:, 0] > 1).long()))
        return {"loss": loss, "score": -loss}

    shown = ConsoleProgress()
    fit(
        net,
        task,
        Grid(1),
        Noise(),
        validate,
        monitor="score",
        run=run,
        recipe=recipe,
        resume=last,
        progress=shown,
        save_seconds=0,
    )


def weights(folder: Path) -> dict[str, Any]:
    return {name: load(folder / "checkpoints" / f"{name}.safetensors").tensors for name in ("last", "best")}


class Disk:
    """Counts file operations; from number ``deadline`` on, none is done any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, deadline: int | None = None) -> None:
        self.count, self.deadline = 0, deadline
        for place, name in (
            *((os, name) for name in ("replace", "link", "fsync", "chmod")),
            (Path, "unlink"),
            (Path, "mkdir"),
            (Path, "write_text"),
            (checkpoint, "save_file"),
            (builtins, "open"),
        ):
            monkeypatch.setattr(place, name, self.counted(getattr(place, name)))

    def counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **options: Any) -> Any:
            mode = given[1] if len(given) > 1 else options.get("mode", "r")
            if operation is real_open and not set("wa+") & set(str(mode)):
                return operation(*given, **options)
            self.count += 1
            if self.deadline is not None and self.count >= self.deadline:
                raise Killed
            return operation(*given, **options)

        return counted


real_open = open


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in range(1, 9))])
def test_killed_at_any_file_operation_a_training_goes_on_to_the_same_bits(tmp_path: Path, first: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        train(tmp_path / "whole")
    whole = weights(tmp_path / "whole")
    assert disk.count > 80
    expected = {path.name for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    for deadline in range(disk.count - first, 0, -9):
        folder = tmp_path / str(deadline)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, deadline)
            with pytest.raises(Killed):
                train(folder)
        train(folder)
        for name, tensors in weights(folder).items():
            assert all(torch.equal(tensors[key], value) for key, value in whole[name].items()), (deadline, name)
        left = {path.name for path in folder.rglob("*") if path.is_file()}
        assert left == expected, deadline
        assert [row["epoch"] for row in RunFolder(folder).history()] == [1, 2]


def test_a_run_says_that_it_goes_on_with_other_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    train(tmp_path / "run", Recipe(**{**vars(RECIPE), "precision": "auto"}))
    before = load(tmp_path / "run" / "checkpoints" / "last.safetensors").state["compute"]
    assert before == {"device": "cpu", "precision": before["precision"], "threads": torch.get_num_threads()}
    assert before["precision"] in ("32", "bf16")
    assert "last digits" not in capsys.readouterr().err
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    train(tmp_path / "run", Recipe(**{**vars(RECIPE), "precision": "auto"}))
    assert f"trained on cpu with {before['threads']} threads so far, and now on cpu with 77" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, before = torch.device("cpu"), {"device": "cpu", "precision": "bf16", "threads": 1}
    monkeypatch.setattr(compute, "computes_in_bf16", lambda precision, device: precision == "bf16")
    assert compute.Compute.choose(Recipe(), cpu, before).precision == "bf16"
    assert compute.Compute.choose(Recipe(), cpu, None).precision == "32"
    with pytest.raises(InputError, match="`precision=32`: this run was trained with bf16 so far"):
        compute.Compute.choose(Recipe(precision="32"), cpu, before)


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_checkpoints_are_readable_for_whom_all_other_files_are(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        train(tmp_path / "run")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert modes == {0o666 & ~umask}
