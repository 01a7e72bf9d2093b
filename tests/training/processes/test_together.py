"""Two processes give the bits of one that accumulates two batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from multiunet_datasets import synthetic

from multiunet import InputError, train
from multiunet.training.checkpoint import Checkpoint, load


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("images")
    synthetic.write_polycrystal(folder, images=6, size=32, grains=6)
    small = {"widths": [4, 8], "patch_size": [32], "dropout": 0.5, "memory_format": "contiguous", "seed": 3}
    short = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2, "device": "cpu", "calibrate": False}
    return {"images": folder / "images", "masks": folder / "masks", **small, **short}


def last(run: Path) -> Checkpoint:
    return load(run / "checkpoints/last.safetensors")


def assert_equal(run: Path, other: Path) -> None:
    tensors, expected = last(run).tensors, last(other).tensors
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
