"""Tiny generators of DNA that repeats ACGT, the same on both strands, from any base on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains import training
from multiunet.progress import Progress

TINY = {
    "task": "generate",
    "val_chroms": ["chr2"],
    "test_chroms": ["chr3"],
    "window": 64,
    "widths": [8, 12],
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 4,
    "ema": 0.0,
    "device": "cpu",
    "precision": "32",
}

LENGTHS = {"chr1": 2003, "chr2": 700, "chr3": 650}

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dna") / "g.fa"
    path.write_text("".join(f">{name}\n{('ACGT' * size)[:size]}\n" for name, size in LENGTHS.items()))
    return path


@pytest.fixture(scope="session")
def make_run(fasta: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Train a tiny generator; the same settings, the same run."""
    runs: dict[str, Path] = {}

    def make(**settings: Any) -> Path:
        key = repr(sorted(settings.items()))
        if key not in runs:
            runs[key] = tmp_path_factory.mktemp("runs") / "run"
            training.train("genome", TINY | {"fasta": fasta} | settings, runs[key], progress=Progress())
        return runs[key]

    return make
