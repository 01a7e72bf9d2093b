from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from multiunet.domains.graph.picture.album import GraphAlbum, NodeAlbum
from multiunet.domains.graph.picture.map import PIXELS
from multiunet.domains.labelled import Piece
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.uncertainty import Moments

FIELD: GraphField = Graph().example(channels=3, seed=0)
NODES = FIELD.x.shape[0]


def pixels(content: object) -> np.ndarray:
    assert isinstance(content, bytes)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def red(content: object) -> int:
    """Pixels of the colour of what is wrong."""
    r, g, b, _ = np.moveaxis(pixels(content).astype(int), -1, 0)
    return int(((abs(r - 213) < 12) & (abs(g - 94) < 12) & (b < 20)).sum())


def test_wrong_nodes_are_marked_among_those_that_are_scored() -> None:
    scored = torch.zeros(NODES, dtype=torch.bool)
    scored[:4] = True
    mean = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    for target, wrong in ((torch.tensor([0, 1, 0, 0]), 0), (torch.tensor([1, 1, 0, 0]), 1)):
        album = NodeAlbum({"g": (FIELD, scored)}, ["a<b", "c"])
        album.add(Piece(mean, target, Moments(mean, 0.1 * mean, 0.1 * mean)))
        [case] = album.draw(())
        assert [panel.title for panel in case.panels] == ["truth", "prediction", "error", "uncertainty"]
        assert f"{wrong / 4:.1%} of the scored nodes" in case.panels[2].words
        assert (red(case.panels[2].content) > 0) == bool(wrong)
        assert pixels(case.panels[0].content).shape[:2] == (PIXELS, PIXELS)
        assert list(case.legend) == ["a<b", "c"]


def test_quantities_of_nodes_have_an_error_and_a_deviation() -> None:
    mean = torch.linspace(0, 1, NODES)[:, None]
    album = NodeAlbum({"g": (FIELD, None)}, ["y"])
    album.add(Piece(mean, mean + 0.5, Moments(mean, 0 * mean, 0.04 + 0 * mean), item="g"))
    [case] = album.draw(["g"])
    assert case.panels[2].scale is not None
    assert (case.panels[2].scale.low, case.panels[2].scale.high) == ("-0.5", "+0.5")
    assert case.panels[3].scale is not None
    assert case.panels[3].scale.high == "0.2"


def test_graphs_that_err_most_come_first() -> None:
    names = [f"g{place}" for place in range(12)]
    album = GraphAlbum(dict.fromkeys(names, FIELD), ["y"])
    for place, name in enumerate(names):
        mean = torch.zeros(1, 1)
        album.add(Piece(mean, torch.full((1, 1), float(place)), Moments(mean, mean, mean + 4), rows=(name,)))
    worst, best = album.draw(())
    assert [panel.title for panel in worst.panels] == ["g11", "g10", "g9", "g8", "g7"]
    assert [panel.title for panel in best.panels] == ["g0", "g1", "g2", "g3", "g4"]
    assert worst.panels[0].words == "truth 11, predicted 0 ± 2"
