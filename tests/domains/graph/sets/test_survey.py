from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.domains.graph.features.inputs import edges_of, fields_of
from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.dataset import TrainingGraphs, unite_batches
from multiunet.domains.graph.sets.survey import Survey, source_of, survey
from multiunet.errors import InputError


def surveyed(path: Path, **settings: Any) -> Survey:
    config = GraphsTrain(graphs=path, **settings)
    return survey(read_graphs(path, source_of(config)), config)


TWO = {
    "node_tag": None,
    "graph_ptr": np.array([0, 3, 3, 5, 8, 11, 13]),
    "edge_index": np.array([[0, 1, 1, 0, 4, 5, 5, 8, 9], [1, 2, 2, 0, 3, 6, 7, 9, 10]]),
    "edge_attr": np.array([[1.0], [2.0], [4.0], [9.0], [3.0], [5.0], [6.0], [7.0], [8.0]]),
    "y": np.array([0, 1, 0, 1, 0, 1]),
}
"""Six graphs: the first has a loop and an edge twice; the second no node; the last no edge."""


def test_a_field_by_hand(save_set: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        known = surveyed(save_set(**TWO), normalize_features="none")
    assert "of 9 edges 1 from a node to itself are left out; 1 repeat earlier ones and count once" in caplog.text
    assert "with the mean of their attributes" in caplog.text
    assert "1 of 6 graphs have no node" in caplog.text
    field = known.fields[0]
    assert field.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert field.edge_attr[:, 0].tolist() == [1, 1, 3, 3]
    assert field.x.argmax(dim=1).tolist() == [1, 2, 1]  # degrees
    assert [len(one.x) for one in known.fields] == [3, 0, 2, 3, 3, 2]
    assert known.fields[5].edge_attr.shape == (0, 1)
    assert known.fields[2].edge_index.T.tolist() == [[0, 1], [1, 0]]
    assert [target.tolist() for target in known.targets] == [[0], [1], [0], [1], [0], [1]]
    assert (known.info.inputs.channels, known.info.inputs.degrees, known.info.inputs.tags) == (3, 2, None)


def test_directed_edges_stay_directed(save_set: Callable[..., Path]) -> None:
    field = surveyed(save_set(**TWO), undirected=False).fields[0]
    assert field.edge_index.T.tolist() == [[0, 1], [1, 2]]


def test_tags_become_columns_beside_features_and_degrees(save_set: Callable[..., Path]) -> None:
    x = np.arange(13.0)[:, None]
    path = save_set(**TWO | {"node_tag": np.array(list("abcabcabcabca")), "x": x})
    known = surveyed(path, degrees=True, normalize_features="none")
    assert known.info.inputs.tags == ("a", "b", "c")
    assert known.info.inputs.channels == 1 + 3 + 3
    assert known.fields[2].x.tolist() == [[3, 1, 0, 0, 0, 1, 0], [4, 0, 1, 0, 0, 1, 0]]


def test_features_are_standardised_over_all_graphs(save_set: Callable[..., Path]) -> None:
    x = np.random.default_rng(0).normal(5, 3, (13, 2)).astype(np.float32)
    known = surveyed(save_set(**TWO | {"x": x}))
    expected = torch.from_numpy((x - x.mean(axis=0)) / x.std(axis=0))
    torch.testing.assert_close(torch.cat([field.x for field in known.fields]), expected)
    attributes = torch.cat([field.edge_attr for field in known.fields])
    assert float(attributes.mean()) == pytest.approx(0, abs=1e-6)
    assert float(attributes.std(correction=0)) == pytest.approx(1)


def test_quantities_have_the_scale_of_the_training_graphs(save_set: Callable[..., Path]) -> None:
    y = np.array([1.0, 2.0, np.nan, 4.0, 8.0, 16.0])
    known = surveyed(save_set(**TWO | {"y": y}), task="regression")
    train = y[known.members["train"]]
    assert list(known.info.quantities.centre) == [pytest.approx(train.mean())]
    assert list(known.info.quantities.scale) == [pytest.approx(train.std())]
    assert known.info.split.unlabelled == 1


def test_graphs_of_a_batch_and_of_an_epoch(save_set: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known = surveyed(save_set(**TWO))
    data = TrainingGraphs(known)
    drawn = [data.draw(item, np.random.default_rng(0)) for item in range(len(data))]
    assert [int(one.target) for one in drawn] == [int(known.targets[graph]) for graph in known.members["train"]]
    monkeypatch.setattr("multiunet.domains.graph.sets.dataset.NODES", 5)
    found = list(unite_batches(known.fields))
    assert [(len(field.x), field.graphs) for field in found] == [(5, 3), (3, 1), (5, 2)]
    assert torch.equal(torch.cat([field.x for field in found]), torch.cat([field.x for field in known.fields]))


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        ({"y": np.array([0, 1, 0, 1, 0, 2])}, {}, "class 2 has one graph only, 5; it cannot be both learnt and scored"),
        ({"y": np.zeros(6, int)}, {}, "y has only the class 0; two classes are needed"),
        ({"y": np.full(6, -1)}, {}, "y has no label"),
        ({"y": np.arange(6) / 2}, {}, "which is no class; for quantities pass `task=regression`"),
        ({"y": np.zeros((6, 2), int)}, {}, "a graph has one class"),
        ({"y": np.ones(6)}, {"task": "regression"}, "y is 1 at all training graphs"),
        ({"y": np.array([1, np.inf, 2, 3, 4, 5])}, {"task": "regression"}, "y of graph 1 is inf"),
        ({"graph_ptr": np.zeros(7, int), "edge_index": np.zeros((2, 0), int), "edge_attr": None}, {}, "has a node"),
    ],
)
def test_what_cannot_be_learnt(save_set: Callable[..., Path], changes: dict, settings: dict, reason: str) -> None:
    path = save_set(**TWO | changes)
    with pytest.raises(InputError, match=f"{path}: .*{reason}"):
        surveyed(path, **settings)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x": np.ones((13, 3))}, "nodes have 3 features, but the run was trained on 2"),
        ({"x": None}, "nodes have 0 features, but the run was trained on 2"),
        ({"node_tag": None}, "nodes have no node_tag, but those trained on had one"),
        ({"edge_attr": None}, "edges have no attributes, but the run was trained on 1"),
    ],
)
def test_graphs_to_predict_must_be_like_those_trained_on(
    save_set: Callable[..., Path], changes: dict, reason: str
) -> None:
    full = TWO | {"x": np.ones((13, 2)), "node_tag": np.arange(13) % 2}
    config = GraphsTrain(graphs=save_set(**full))
    info = surveyed(config.graphs).info
    other = read_graphs(save_set(**full | changes), source_of(config))
    with pytest.raises(InputError, match=reason):
        fields_of(other, info.inputs, edges_of(other, True))


def test_graphs_without_edges_are_predicted_by_a_run_with_attributes(save_set: Callable[..., Path]) -> None:
    config = GraphsTrain(graphs=save_set(**TWO))
    info = surveyed(config.graphs).info
    other = read_graphs(save_set(**TWO | {"edge_index": np.zeros((2, 0), int), "edge_attr": None}), source_of(config))
    fields = fields_of(other, info.inputs, edges_of(other, True))
    assert {tuple(field.edge_attr.shape) for field in fields} == {(0, 1)}


def test_an_unknown_tag_is_said_and_has_zeros(save_set: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    config = GraphsTrain(graphs=save_set(**TWO | {"node_tag": np.zeros(13, int)}))
    info = surveyed(config.graphs).info
    other = read_graphs(save_set(**TWO | {"node_tag": np.r_[5, np.zeros(12, int)]}), source_of(config))
    with caplog.at_level(logging.WARNING):
        fields = fields_of(other, info.inputs, edges_of(other, True))
    assert "node_tag 5 was not there in training" in caplog.text
    assert fields[0].x.tolist() == [[0], [1], [1]]
