from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from multiunet.domains import inference, training
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.dataset import WholeGraph
from multiunet.domains.graph.nodes.domain import GraphDomain
from multiunet.domains.graph.nodes.parts import GraphParts, cut_patches, part
from multiunet.domains.graph.nodes.survey import Survey, survey
from multiunet.geometries.graph.field import GraphField
from multiunet.progress import Progress
from multiunet.seeds import generator
from multiunet.training.checkpoint import load
from multiunet.training.data import Sample
from multiunet.training.signals import Stopped


def lattice(side: int) -> np.ndarray:
    number = np.arange(side * side).reshape(side, side)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    return np.concatenate([across, np.stack([number[:-1].ravel(), number[1:].ravel()])], axis=1)


@pytest.mark.parametrize(("size", "seed"), [(1, 0), (7, 0), (7, 1), (40, 2), (399, 0), (400, 0), (1000, 0)])
def test_patches_hold_every_node_once_and_not_too_many(size: int, seed: int) -> None:
    number = cut_patches(lattice(20), 400, size, seed)
    sizes = np.bincount(number)
    assert len(number) == 400
    assert 0 < sizes.min() <= sizes.max() <= size
    np.testing.assert_array_equal(number, cut_patches(lattice(20), 400, size, seed))


def test_patches_are_near_each_other() -> None:
    edges = lattice(40)
    number = cut_patches(edges, 1600, 100, 0)
    shuffled = np.random.default_rng(0).permutation(number)
    inside = [(numbers[edges[0]] == numbers[edges[1]]).mean() for numbers in (number, shuffled)]
    assert inside[0] > 0.8 > 10 * inside[1]


def test_components_that_no_patch_begins_in_stay_together() -> None:
    rings = np.concatenate([np.stack([np.arange(5), (np.arange(5) + 1) % 5]) + 5 * i for i in range(40)], axis=1)
    number = cut_patches(rings, 200, 50, 0)
    links = csr_array((np.ones(200), tuple(rings)), shape=(200, 200))
    count, component = connected_components(links, directed=False)
    assert count == 40
    # at most one more piece for each patch
    assert len(np.unique(component * 1000 + number)) <= 40 + number.max() + 1


def test_a_part_by_hand() -> None:
    x = torch.arange(10.0).reshape(5, 2)
    ends, weights = torch.tensor([[0, 1, 3, 4, 4], [1, 3, 4, 1, 3]]), torch.tensor([1.0, 2, 3, 4, 5])
    field = GraphField.of(x, ends, weights, 10 * weights[:, None])
    sample = Sample(field, torch.tensor([5, 6, 7, 8, 9]), torch.tensor([0.0, 1, 0, 1, 1]))
    for features in (x, x.to_sparse().coalesce()):
        sample.field.x = features
        found = part(sample, torch.tensor([1, 3, 4]))
        assert found.field.x.is_sparse == features.is_sparse
        assert found.field.x.to_dense().tolist() == [[2, 3], [6, 7], [8, 9]]
        assert found.field.edge_index.tolist() == [[0, 1, 2, 2], [1, 2, 0, 1]]
        assert found.field.weights().tolist() == [2, 3, 4, 5]
        assert found.field.edge_attr is not None
        assert found.field.edge_attr.tolist() == [[20], [30], [40], [50]]
        assert (found.target.tolist(), found.weight.tolist()) == ([6, 8, 9], [1, 1, 1])


def test_a_part_of_all_nodes_is_the_whole_graph(save: Callable[..., Path]) -> None:
    whole = WholeGraph(known(save)).sample
    same = part(whole, torch.arange(24))
    assert torch.equal(same.field.x, whole.field.x)
    assert torch.equal(same.field.edge_index, whole.field.edge_index)
    assert torch.equal(same.target, whole.target)
    assert torch.equal(same.weight, whole.weight)


def known(save: Callable[..., Path], **settings: Any) -> Survey:
    return survey(GraphTrain(graph=save(), **settings))


def test_parts_have_training_nodes_and_fit(save: Callable[..., Path]) -> None:
    alone = np.arange(24) == 9  # the only one that trains
    data = GraphParts(survey(GraphTrain(graph=save(train_mask=alone, test_mask=None))), 10, seed=0)
    assert len(data) == 3
    seen = np.zeros(24)
    for step in range(40):
        sample = data.draw(0, generator(0, step))
        nodes = sample.field.x.shape[0]
        assert 1 <= nodes <= 10
        assert len(sample.target) == len(sample.weight) == nodes
        assert float(sample.weight.sum()) == 1
        assert (sample.target >= 0).sum() == 1  # the labels of all others are hidden
        whole = data.sample.field.x.numpy()
        seen += (whole[:, None] == sample.field.x.numpy()[None]).all(axis=2).any(axis=1)
    assert seen.min() > 0
    assert seen[9] == 40


def test_the_same_draw_gives_the_same_part(save: Callable[..., Path]) -> None:
    data = GraphParts(known(save), 10, seed=0)
    copy = pickle.loads(pickle.dumps(data))
    one, two = data.draw(1, generator(4, 2)), copy.draw(1, generator(4, 2))
    assert torch.equal(one.field.x, two.field.x)
    assert torch.equal(one.field.edge_index, two.field.edge_index)


def trained(graph: Path, out: Path, **settings: Any) -> dict[str, torch.Tensor]:
    config = GraphTrain(graph=graph, **{"epochs": 3, "widths": [8, 8, 8], **settings})
    training.train("graph", config, out, resume="auto", progress=settings.pop("progress", Progress()))
    return load(out / "checkpoints/last.safetensors").tensors


def test_parts_as_large_as_the_graph_train_the_same_bits(save: Callable[..., Path], tmp_path: Path) -> None:
    weights = [trained(save(), tmp_path / f"{nodes}", batch_nodes=nodes) for nodes in (None, 24, 1000)]
    for other in weights[1:]:
        assert all(torch.equal(weights[0][name], other[name]) for name in weights[0])


def test_training_in_parts_resumes_to_the_same_bits(save: Callable[..., Path], tmp_path: Path) -> None:
    graph = save()
    whole = trained(graph, tmp_path / "whole", batch_nodes=7)

    class Killer(Progress):
        """Ends the process, as it were, in the middle of the second pass."""

        steps = 0

        def add_step(self, loss: float) -> None:
            self.steps += 1
            if self.steps == 6:
                raise Stopped(15)

    config = GraphTrain(graph=graph, epochs=3, widths=[8, 8, 8], batch_nodes=7)
    with pytest.raises(Stopped):
        training.train("graph", config, tmp_path / "cut", progress=Killer())
    resumed = trained(graph, tmp_path / "cut", batch_nodes=7)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_views_are_the_same_part_side_by_side(save: Callable[..., Path]) -> None:
    one, two = (GraphParts(known(save), 10, seed=0, views=views).draw(0, generator(1)) for views in (1, 2))
    nodes = one.field.x.shape[0]
    assert (two.field.graphs, two.field.x.shape[0]) == (2, 2 * nodes)
    assert torch.equal(two.field.x, torch.cat([one.field.x] * 2))
    assert torch.equal(two.field.edge_index, torch.cat([one.field.edge_index, one.field.edge_index + nodes], dim=1))
    assert torch.equal(two.target, torch.cat([one.target] * 2))


def test_an_easy_graph_is_learnt_in_parts(save: Callable[..., Path], tmp_path: Path) -> None:
    trained(save(), tmp_path / "run", epochs=30, batch_nodes=12, input_dropout=0.2)
    report = inference.evaluate(tmp_path / "run")
    assert report.metrics["accuracy"] > 0.7 > report.baselines["majority"]["accuracy"]


def test_what_trains_depends_on_the_size(save: Callable[..., Path]) -> None:
    for nodes, kind in ((None, WholeGraph), (24, WholeGraph), (23, GraphParts)):
        domain, config = GraphDomain(), GraphTrain(graph=save(), batch_nodes=nodes)
        info = domain.inspect(config)
        assert type(domain.training_data(config, info, domain.build(config, info))) is kind
