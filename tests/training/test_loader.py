"""Processes that load data: what goes wrong in them ends the training, and no process stays behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from multiunet import Grid, InputError, Recipe, Segmentation, UNet, fit
from multiunet.errors import RunError
from multiunet.training.data import Sample, TrainingData
from multiunet.training.loader import stop_workers
from multiunet.training.run_folder import RunFolder
from multiunet.training.signals import Stopped

KINDS = {"input": InputError("a/03.png: is truncated"), "file": FileNotFoundError(2, "No such file", "a/04.png")}


class Failing(TrainingData):
    """Its second draw fails, in a process of its own or not."""

    def __init__(self, kind: str) -> None:
        self.kind, self.draws = kind, 0

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        self.draws += 1
        if self.draws > 1:
            if self.kind == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.kind == "bug":
                raise KeyError("a bug")
            raise KINDS[self.kind]
        return Sample(torch.zeros(1, 1, 16), torch.zeros(1, 16, dtype=torch.int64))


def train(folder: Path, kind: str, workers: int) -> None:
    run = RunFolder.create(folder, {}, {})
    recipe = Recipe(epochs=1, workers=workers, batch_size=1, precision="32", device="cpu")
    net, task = UNet(Grid(1), 1, 2, [4, 4]), Segmentation(["a", "b"])
    fit(net, task, Grid(1), Failing(kind), None, monitor="score", run=run, recipe=recipe)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", ["input", "file"])
def test_an_error_of_the_data_is_the_same_from_a_worker(tmp_path: Path, kind: str, workers: int) -> None:
    with pytest.raises(type(KINDS[kind])) as raised:
        train(tmp_path / "run", kind, workers)
    assert str(raised.value) == str(KINDS[kind])
    assert not multiprocessing.active_children()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing is killed so there")
def test_a_worker_that_is_killed_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="was killed, perhaps because memory ran out; use fewer `workers`"):
        train(tmp_path / "run", "killed", 1)
    assert not multiprocessing.active_children()


def test_a_bug_keeps_its_traceback_and_no_worker_is_left(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(KeyError, match=r"in draw(.|\n)*a bug"):
        train(tmp_path / "run", "bug", 1)
    assert not multiprocessing.active_children()
    assert time.monotonic() - started < 60


def breaking_off(words: str) -> Any:
    """A loader whose workers break off while they end, and what is killed of them."""
    killed: list[int] = []

    def shut_down() -> None:
        raise RuntimeError(words)

    workers = [SimpleNamespace(kill=partial(killed.append, place)) for place in range(2)]
    running = SimpleNamespace(_shutdown_workers=shut_down, _workers=workers)
    return SimpleNamespace(_iterator=running, killed=killed)


def test_a_worker_that_breaks_off_while_it_ends_hides_no_other_end() -> None:
    batches = breaking_off("DataLoader worker (pid 7) is killed by signal: Aborted. ")
    with pytest.raises(Stopped), stop_workers(batches):
        raise Stopped(signal.SIGINT)
    assert (batches._iterator, batches.killed) == (None, [0, 1])
    with pytest.raises(RuntimeError, match="something else"), stop_workers(breaking_off("something else")):
        pass


def test_a_condition_that_is_a_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match=r"condition is a Tensor; give a Condition, such as Condition\(embedding"):
        Sample(torch.zeros(1, 1, 4), torch.zeros(1, 4), condition=torch.zeros(1, 2))  # type: ignore[arg-type]
