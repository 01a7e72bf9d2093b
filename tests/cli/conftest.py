from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from multiunet_cli.main import application
from multiunet_datasets import synthetic


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def multiunet(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs a command line in this process."""

    def run(*words: object) -> Result:
        with pytest.raises(SystemExit) as ended:
            application()([str(word) for word in words])
        captured = capfd.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run


@dataclass(frozen=True)
class World:
    """A small data set of one domain and the words that train on it and predict from it."""

    domain: str
    train: list[object]
    predict: list[object]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """One for each built-in domain, trained in a few seconds."""
    folder = tmp_path_factory.mktemp("worlds")
    synthetic.write_polycrystal(folder / "image", images=6, size=64, grains=12)
    synthetic.write_genome(folder / "genome", chromosomes=4, length=8000)
    synthetic.write_graph(folder / "graph", nodes=120)
    images, masks = folder / "image/images", folder / "image/masks"
    short = ["--epochs", 2, "--seed", 1]
    return {
        "image": World(
            "image",
            [
                "--images",
                images,
                "--masks",
                masks,
                "--widths",
                "4,8",
                "--patch-size",
                "32",
                "--steps-per-epoch",
                2,
                *short,
            ],
            ["--images", images],
        ),
        "genome": World(
            "genome",
            [
                *("--fasta", folder / "genome/genome.fa", "--targets", folder / "genome/signal.bedGraph"),
                *("--val-chroms", "chr3", "--test-chroms", "chr4", "--bin-size", 100, "--steps-per-epoch", 2, *short),
            ],
            ["--chroms", "chr4"],
        ),
        "graph": World("graph", ["--graph", folder / "graph/graph.npz", *short], []),
    }
