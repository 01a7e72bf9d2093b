"""Two processes give the bits of one that accumulates two batches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from multiunet_datasets import synthetic

from multiunet import InputError, train
from multiunet.domains import training
from multiunet.domains.helping import PROGRAM
from multiunet.training.checkpoint import load
from multiunet.training.processes.group import Alone, Group
from multiunet.training.processes.launching import open_group
from multiunet.training.processes.place import Wanted


@pytest.fixture(scope="module")
def two() -> Iterator[Group]:
    """Two processes for all trainings of this file: to start one takes longer than to train."""
    with open_group(Wanted("cpu", (0, 1), 1), PROGRAM) as group:
        yield group


@pytest.fixture
def started(two: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings by two processes are by those that run already."""
    monkeypatch.setattr(
        training, "open_group", lambda wanted, program: nullcontext(two if wanted.processes > 1 else Alone())
    )


def assert_equal(run: Path, other: Path) -> None:
    tensors, expected = (load(one / "checkpoints/last.safetensors").tensors for one in (run, other))
    assert tensors.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(tensors[name], value)] == []


def test_two_processes_have_the_bits_of_one(tmp_path: Path, images: dict[str, Any]) -> None:
    train("image", {**images, "accumulate": 2}, tmp_path / "one")
    state = train("image", {**images, "devices": 2}, tmp_path / "two")
    assert state is not None
    assert state.epoch == 2
    assert_equal(tmp_path / "two", tmp_path / "one")
    assert not torch.distributed.is_initialized()


def test_a_step_of_too_few_batches_is_refused(tmp_path: Path, images: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"`accumulate=1`: a step of so many batches cannot be shared out to 2"):
        train("image", {**images, "devices": 2, "accumulate": 1}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_three_processes_are_as_near_as_sums_in_another_order(tmp_path: Path, images: dict[str, Any]) -> None:
    train("image", {**images, "accumulate": 4}, tmp_path / "one")
    train("image", {**images, "accumulate": 4, "devices": 3}, tmp_path / "three")
    tensors, expected = (load(tmp_path / n / "checkpoints/last.safetensors").part("model") for n in ("three", "one"))
    for name, value in expected.items():
        torch.testing.assert_close(tensors[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_processes_that_srun_started_train_together_if_asked(tmp_path: Path, images: dict[str, Any]) -> None:
    asked = {name: str(value) if isinstance(value, Path) else value for name, value in images.items()}
    asked |= {"devices": 1, "nodes": 2}
    program = f"from multiunet import train; print(train('image', {asked!r}, 'run'))"
    step = {"SLURM_JOB_ID": "77", "SLURM_LOCALID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **step, "SLURM_PROCID": str(rank)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    shown = [task.communicate(timeout=300)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0]
    assert shown[0].startswith("State(epoch=2")
    assert shown[1] == "None\n"
    train("image", {**images, "accumulate": 2}, tmp_path / "one")
    assert_equal(tmp_path / "run", tmp_path / "one")


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("domain", ["image", "genome", "graph", "graphs"])
def test_in_every_domain_twenty_steps_of_two_processes_have_the_bits_of_one(
    tmp_path: Path, images: dict[str, Any], domain: str
) -> None:
    synthetic.write_genome(tmp_path / "genome", chromosomes=4, length=8000)
    synthetic.write_graph(tmp_path / "graph", nodes=120)
    synthetic.write_graph_set(tmp_path / "graphs", count=40)
    genome = {"fasta": tmp_path / "genome/genome.fa", "targets": [tmp_path / "genome/signal.bedGraph"], "bin_size": 100}
    settings: dict[str, Any] = {
        "image": images,
        "genome": {**genome, "val_chroms": ["chr3"], "test_chroms": ["chr4"]},
        "graph": {"graph": tmp_path / "graph/graph.npz", "batch_nodes": 40},
        "graphs": {"graphs": tmp_path / "graphs/graphs.npz", "widths": [4, 8], "batch_size": 4},
    }[domain]
    long = {**settings, "epochs": 2, "steps_per_epoch": 10, "seed": 1, "device": "cpu", "calibrate": False}
    train(domain, {**long, "accumulate": 2}, tmp_path / "one")
    train(domain, {**long, "devices": 2}, tmp_path / "two")
    assert_equal(tmp_path / "two", tmp_path / "one")


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    "more",
    [
        {"degrade": "down:4", "adversarial": True, "masks": None},
        {"task": "generate", "latent": 4, "latent_epochs": 1, "masks": None, "dropout": 0.0},
        {"ema": 0.9, "gradient_checkpointing": True, "workers": 1},
        {"precision": "bf16", "skip": "attention", "optimizer": "sgd"},
    ],
    ids=["opponent", "latents", "workers", "bf16"],
)
def test_two_processes_have_the_bits_of_one_whatever_is_trained(
    tmp_path: Path, images: dict[str, Any], more: dict[str, Any]
) -> None:
    settings = {name: value for name, value in {**images, **more}.items() if value is not None}
    train("image", {**settings, "accumulate": 2}, tmp_path / "one")
    train("image", {**settings, "devices": 2}, tmp_path / "two")
    assert_equal(tmp_path / "two", tmp_path / "one")
