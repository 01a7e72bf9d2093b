from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.core import UNet
from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.graph.nodes.config import GraphPredict, GraphTrain
from multiunet.domains.graph.picture import plot
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.progress import Progress


def levels_of(field: GraphField, pool: Any) -> list[GraphField]:
    trail = UNet(Graph(pool=pool), field.x.shape[1], 2, [4, 4, 4]).encode(field)
    return [*trail.saved, trail.bottom]


def ring(nodes: int) -> GraphField:
    place = torch.arange(nodes)
    ends = torch.stack([place, (place + 1) % nodes])
    return GraphField.of(torch.randn(nodes, 3), torch.cat([ends, ends.flip(0)], dim=1))


def predicted(nodes: int, classes: int = 2, places: Any = None) -> plot.Predicted:
    mean = np.random.default_rng(0).dirichlet(np.ones(classes), nodes).astype(np.float32)
    return plot.Predicted("g", [f"c{i}" for i in range(classes)], mean, mean * (1 - mean), mean.argmax(axis=1), places)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"widths": [8, 8, 8, 8]},
        {"pool": "matching", "widths": [8, 8, 8]},
        {"pool": "mincut", "clusters": 4},
        {"task": "regression"},
    ],
)
def test_a_prediction_is_drawn(save: Callable[..., Path], tmp_path: Path, settings: dict[str, Any]) -> None:
    config = GraphTrain(graph=save(), epochs=2, calibrate=False, **settings)
    training.train("graph", config, tmp_path / "run", progress=Progress())
    options = GraphPredict(samples=2, plot=tmp_path / "p.png")
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr")
    with Image.open(tmp_path / "p.png") as image:
        assert image.format == "PNG"
        assert image.size[0] == 1800
        colours = {tuple(pixel) for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
    assert len(colours) > 20
    if "task" not in settings:  # blue and orange of the two classes
        assert {(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)} <= colours


def test_selected_nodes_stay_where_they_were() -> None:
    field = ring(20)
    levels = levels_of(field, TopK())
    panels = plot._panels(predicted(20), levels)
    assert [len(panel.places) for panel in panels] == [20, 10, 5]
    parent = levels[1].parent.numpy()
    np.testing.assert_allclose(panels[1].places, panels[0].places[parent])
    np.testing.assert_allclose(panels[2].places, panels[0].places[parent[levels[2].parent.numpy()]])
    assert panels[0].links == 20


def test_merged_nodes_are_in_the_middle_of_theirs() -> None:
    levels = levels_of(ring(16), HeavyEdgeMatching())
    panels = plot._panels(predicted(16), levels)
    cluster = levels[2].cluster.numpy()[levels[1].cluster.numpy()]
    for number, (place, size) in enumerate(zip(panels[2].places, panels[2].made_of)):
        assert size == (cluster == number).sum()
        np.testing.assert_allclose(place, panels[0].places[cluster == number].mean(axis=0))


def test_soft_clusters_are_in_the_middle_of_their_shares() -> None:
    levels = levels_of(ring(12), MinCut(clusters=3))
    panels = plot._panels(predicted(12), levels)
    shares = levels[1].shares.detach().numpy()
    expected = shares.T @ panels[0].places / shares.sum(axis=0)[:, None]
    np.testing.assert_allclose(panels[1].places, expected, rtol=1e-4)


def test_of_a_large_graph_the_middle_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plot, "MOST_NODES", 11)
    field = ring(40)
    hub = torch.tensor([[7, 7], [20, 33]])
    field = GraphField.of(field.x, torch.cat([field.edge_index, hub, hub.flip(0)], dim=1))
    panels = plot._panels(predicted(40), levels_of(field, TopK()))
    assert (len(panels[0].places), panels[0].nodes) == (11, 40)
    chosen = plot._around_the_hub(field, 40)
    assert {5, 6, 7, 8, 9, 20, 33} <= set(chosen.tolist())
    assert panels[1].nodes == 20 > len(panels[1].places)
    plot.draw(predicted(40, classes=15), levels_of(field, TopK()), tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_places_of_the_table_are_used(tables: Callable[..., Path], tmp_path: Path, monkeypatch: Any) -> None:
    nodes = "id,x,y,label\n" + "\n".join(f"{i},{i * i},{-i},{'ab'[i % 2]}" for i in range(12))
    edges = "source,target\n" + "\n".join(f"{i},{(i + 1) % 12}" for i in range(12))
    training.train("graph", GraphTrain(graph=tables(nodes, edges), epochs=1), tmp_path / "r", progress=Progress())
    seen = []
    monkeypatch.setattr(plot, "draw", lambda predicted, levels, path: seen.append(predicted.places))
    inference.predict(tmp_path / "r", GraphPredict(samples=1, plot=tmp_path / "p.png"), tmp_path / "p.zarr")
    np.testing.assert_array_equal(seen[0], np.stack([np.arange(12) ** 2, -np.arange(12)], axis=1))


def test_bad_places_of_the_picture_are_refused(save: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pictures are PNG"):
        validated(GraphPredict, {"plot": "p.pdf"}, "test")
    training.train("graph", GraphTrain(graph=save(), epochs=1), tmp_path / "run", progress=Progress())
    (tmp_path / "p.png").write_text("mine")
    for path, reason in ((tmp_path / "p.png", "exists already"), (tmp_path / "g.npz" / "p.png", "is a file")):
        for check in (inference.check_predict, inference.predict):
            with pytest.raises(InputError, match=reason):
                check(tmp_path / "run", GraphPredict(plot=path), tmp_path / "p.zarr")
    assert (tmp_path / "p.png").read_text() == "mine"
    assert not (tmp_path / "p.zarr").exists()
    inference.predict(tmp_path / "run", GraphPredict(plot=tmp_path / "p.png", overwrite=True), tmp_path / "p.zarr")
    assert (tmp_path / "p.png").read_bytes()[1:4] == b"PNG"
