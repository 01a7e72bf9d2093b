"""A small genome with two signals, and a run on it."""

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.spec import domain_spec
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}
BIN = 25


QUICK = {
    "bin_size": BIN,
    "val_chroms": "chr2",
    "test_chroms": ["chr3"],
    "window": 32,
    "widths": [8, 12],
    "stem_channels": 8,
    "stem_kernel": 7,
    "epochs": 2,
    "steps_per_epoch": 4,
    "batch_size": 4,
    "ema": 0.0,
    "dropout": 0.3,
}


def _write_fasta(path: Path, lengths: dict[str, int], seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    path.write_text("".join(f">{n}\n{''.join(rng.choice(list('ACGT'), size=size))}\n" for n, size in lengths.items()))
    return path


def _write_signal(path: Path, lengths: dict[str, int], seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    rows = [
        f"{name}\t{start}\t{min(start + BIN, size)}\t{abs(rng.normal(5, 2)):.4f}\n"
        for name, size in lengths.items()
        for start in range(0, size, BIN)
        if rng.random() < 0.9
    ]
    path.write_text("".join(rows))
    return path


def _config_of(settings):
    return validated(domain_spec("genome").train, settings, "test")


def _predict(run: Path, out: Path, **options) -> list[Path]:
    return inference.predict(run, validated(domain_spec("genome").predict, options, "test"), out, "genome")


@pytest.fixture(scope="session")
def write_fasta():
    return _write_fasta


@pytest.fixture(scope="session")
def write_signal():
    return _write_signal


@pytest.fixture(scope="session")
def config_of():
    return _config_of


@pytest.fixture(scope="session")
def predict():
    return _predict


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("genome")
    fasta = _write_fasta(folder / "g.fa", LENGTHS)
    signals = [_write_signal(folder / f"{name}.bedGraph", LENGTHS, seed) for seed, name in enumerate(("fwd", "rev"))]
    return {"fasta": str(fasta), "targets": ",".join(map(str, signals)), **QUICK}


@pytest.fixture(scope="session")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    training.train("genome", _config_of({**data, "strand_pairs": "fwd:rev"}), out, progress=Progress())
    return out
