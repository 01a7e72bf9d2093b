from __future__ import annotations

from dataclasses import dataclass

import pytest
from multiunet_datasets import synthetic


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
    synthetic.write_graph_set(folder / "graphs", count=40)
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
                "--dropout",
                0.5,
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
        "graphs": World("graphs", ["--graphs", folder / "graphs/graphs.npz", "--widths", "4,8", *short], []),
    }
