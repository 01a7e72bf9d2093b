from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains.graph.features.inputs import edges_of, field_of
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import EdgeChanges, NodeInfo
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.dataset import WholeGraph
from multiunet.domains.graph.nodes.survey import columns_of, survey
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField


def seen(path: Path, info: NodeInfo) -> GraphField:
    graph = read_graph(path, Columns())
    return field_of(graph, info.inputs, edges_of(graph, undirected=True))


def test_edges_are_made_simple_and_undirected(save: Callable[..., Path]) -> None:
    edges = np.array([[0, 1, 2, 3, 0, 0], [1, 0, 3, 3, 1, 2]])
    weight = np.array([1.0, 2.0, 3.0, 9.0, 3.0, 5.0])
    graph = read_graph(save(edge_index=edges, edge_weight=weight), Columns())
    found = edges_of(graph, undirected=True)
    assert found.index.T.tolist() == [[0, 1], [0, 2], [1, 0], [2, 0], [2, 3], [3, 2]]
    assert found.weight is not None
    # 0 - 1 is given as 1, 2 and 3
    np.testing.assert_allclose(found.weight, [2, 5, 2, 5, 3, 3])
    assert found.changes == EdgeChanges(given=6, loops_dropped=1, repetitions_merged=1, reverses_added=2, used=6)
    found = edges_of(replace(graph, weight=None), undirected=False)
    assert found.index.T.tolist() == [[0, 1], [0, 2], [1, 0], [2, 3]]
    assert found.weight is None
    assert found.changes.reverses_added == 0


def test_words_are_normalised_by_node_and_measures_by_feature(
    save: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    counts = np.zeros((24, 20))
    counts[0, :3] = [1, 0, 3]
    with caplog.at_level(logging.INFO):
        x = survey(GraphTrain(graph=save(x=counts))).field.x.to_dense()
    assert "features are normalised by row, as of a bag of words" in caplog.text
    assert x[0, :3].tolist() == [0.25, 0, 0.75]
    assert not x[1:].any()  # empty rows stay empty
    measures = np.random.default_rng(0).normal(5, 2, (24, 3))
    measures[:, 2] = 7.5
    x = survey(GraphTrain(graph=save(x=measures))).field.x
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    path = save(x=measures)
    x = survey(GraphTrain(graph=path, normalize_features="none")).field.x
    np.testing.assert_array_equal(x, measures.astype(np.float32))


def test_whole_numbers_of_different_size_are_standardised_each(save: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    people = np.stack([rng.integers(18, 90, 24), rng.integers(9_000, 90_000, 24), rng.integers(0, 2, 24)], axis=1)
    known = survey(GraphTrain(graph=save(x=people)))
    assert known.info.inputs.features.normalization.kind == "column"
    torch.testing.assert_close(known.field.x.std(dim=0, correction=0), torch.ones(3))


def test_another_graph_is_seen_as_the_one_trained_on(save: Callable[..., Path]) -> None:
    x = np.random.default_rng(0).normal(5, 2, (24, 3)).astype(np.float32)
    info = survey(GraphTrain(graph=save(x=x))).info
    other = seen(save(x=x + 1), info)
    torch.testing.assert_close(other.x, torch.from_numpy((x + 1 - x.mean(axis=0)) / x.std(axis=0)))
    with pytest.raises(InputError, match=r"nodes have 4 features, but the run was trained on 3"):
        seen(save(x=np.zeros((24, 4))), info)


def test_features_of_tables_must_have_the_same_names(tables: Callable[..., Path]) -> None:
    folder = tables()
    info = survey(GraphTrain(graph=folder)).info
    assert info.inputs.features.names == ("height", "weight")
    text = (folder / "nodes.csv").read_text().replace("height", "length")
    with pytest.raises(InputError, match=r"nodes lack height, which the run was trained on; give the same"):
        seen(tables(nodes=text), info)


def test_sparse_features_are_kept_sparse(save: Callable[..., Path]) -> None:
    x = np.eye(24)
    sparse, full = survey(GraphTrain(graph=save(x=x))).field.x, survey(GraphTrain(graph=save(x=x + 1))).field.x
    assert (sparse.is_sparse, full.is_sparse) == (True, False)
    torch.testing.assert_close(sparse.to_dense(), torch.eye(24))


def test_facts_are_plain_and_complete(tables: Callable[..., Path]) -> None:
    info = survey(GraphTrain(graph=tables())).info
    assert NodeInfo.model_validate_json(info.model_dump_json()) == info
    assert info.classes.names == info.classes.values == ("cat", "dog")
    assert (*info.split.counts().values(), info.split.unlabelled) == (2, 1, 1, 1)
    assert info.edges.reverses_added == 5


def test_facts_notice_any_change_of_the_data(save: Callable[..., Path]) -> None:
    def name(**changes: object) -> str:
        return str(survey(GraphTrain(graph=save(**changes))).info.data)

    y = np.arange(24) % 2
    digests = {name(), name(y=y), name(x=np.eye(24)), name(test_mask=np.arange(24) == 2), name(edge_weight=np.ones(24))}
    assert len(digests) == 5
    assert name() in digests


def test_quantities_are_scaled_by_those_of_training_nodes(save: Callable[..., Path]) -> None:
    y = np.arange(24.0)
    y[3] = np.nan
    known = survey(GraphTrain(graph=save(y=y), task="regression"))
    trained = np.array([v for v in y[::3] if v == v])
    assert known.info.quantities.names == ("y",)
    assert list(known.info.quantities.centre) == pytest.approx([trained.mean()])
    assert list(known.info.quantities.scale) == pytest.approx([trained.std()])
    assert known.info.split.unlabelled == 1
    with pytest.raises(InputError, match="y is 3 at all training nodes"):
        survey(GraphTrain(graph=save(y=np.full(24, 3.0)), task="regression"))
    nowhere = np.stack([y, np.where(np.arange(24) % 3 == 0, np.nan, y)], axis=1)
    with pytest.raises(InputError, match="y1 is measured at no training node"):
        survey(GraphTrain(graph=save(y=nowhere), task="regression"))


def test_a_class_without_training_nodes_is_said(save: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    y = np.arange(24) % 2
    y[1] = 5
    with caplog.at_level(logging.WARNING):
        survey(GraphTrain(graph=save(y=y)))
    assert "no training node is of class 5" in caplog.text


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_training_sees_no_label_but_those_of_its_nodes(save: Callable[..., Path], task: str) -> None:
    config = GraphTrain(graph=save(), task=task)
    known = survey(config)
    data = WholeGraph(known)
    assert len(data) == 1
    sample = pickle.loads(pickle.dumps(data)).draw(0, np.random.default_rng(0))
    train = torch.from_numpy(known.masks["train"])
    hidden = sample.target[~train]
    assert (hidden == -1).all() if task == "classification" else hidden.isnan().all()
    assert torch.equal(sample.target[train], known.target[train])
    assert torch.equal(sample.weight, train.float())


def test_changes_of_edges_are_said(save: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    place = np.arange(24)
    ring = np.stack([place, (place + 1) % 24])
    survey(GraphTrain(graph=save(edge_index=ring)))
    survey(GraphTrain(graph=save(edge_index=np.concatenate([ring, ring[::-1]], axis=1))))
    assert not caplog.records  # each edge once, or in both directions, is as usual
    odd = np.concatenate([ring, ring[::-1, :20], ring[:, :3], [[5], [5]]], axis=1)
    survey(GraphTrain(graph=save(edge_index=odd)))
    [said] = [record.message for record in caplog.records]
    assert (
        "of 48 edges 1 from a node to itself are left out; 3 repeat earlier ones and count once; 4 lead one way" in said
    )


def test_nodes_without_edges_are_said(save: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    survey(GraphTrain(graph=save(edge_index=np.array([[0, 1, 7], [1, 2, 7]]))))
    assert "21 of 24 nodes have no edge; their features alone count" in caplog.text


def test_attributes_of_edges_are_read_where_the_convolution_sees_them(
    tables: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    edges = """Source,Target,Id,Weight,kind,length
ann,b-2,1,2,road,1
b-2,ann,2,6,rail,5
b-2,"c, d",3,1,road,3
7,é,4,1,,7
"""
    folder = tables(edges=edges)
    known = survey(GraphTrain(graph=folder, conv="gine", normalize_features="none"))
    assert known.info.inputs.attributes.names == ("kind=rail", "kind=road", "length")
    field = known.field
    assert field.edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]]
    assert field.edge_weight is not None
    assert field.edge_weight.tolist() == [4, 4, 1, 1, 1, 1]
    # 2 of weight 2 and 6 of weight 6: the mean by weight
    assert field.edge_attr.tolist() == [[0.75, 0.25, 4]] * 2 + [[0, 1, 3]] * 2 + [[0, 0, 7]] * 2
    assert "does not read" not in caplog.text
    for columns, names in ((["length"], ["length"]), ([], None)):
        config = GraphTrain(graph=folder, conv="gatv2", edge_columns=columns)
        assert survey(config).info.inputs.attributes.names == (names and tuple(names))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert survey(GraphTrain(graph=folder)).field.edge_attr is None
    assert (
        "edges have kind, length, too, which `conv=gcn` does not read; `conv=gine` and `conv=gatv2` do" in caplog.text
    )
    with pytest.raises(ValueError, match="`edge_columns` are read by `conv=gine` and `conv=gatv2`, not by gcn"):
        GraphTrain(graph=folder, edge_columns=["length"])


def test_another_graph_needs_the_attributes_trained_on(
    tables: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    head = "source,target,kind,length\n"
    config = GraphTrain(graph=tables(edges=head + "ann,b-2,road,1\nb-2,7,rail,3\n"), conv="gine")
    info = survey(config).info

    def other(edges: str) -> GraphField:
        graph = read_graph(tables(edges=edges), columns_of(config))
        return field_of(graph, info.inputs, edges_of(graph, undirected=True))

    with caplog.at_level(logging.WARNING):
        field = other("source,target,length,kind\nann,b-2,2,air\n")
    assert "kind=air of edges was not there in training" in caplog.text
    # kinds were standardised, so that neither is -1 at each; a length of 2 is the mean
    assert field.edge_attr.tolist() == [[-1, -1, 0]] * 2
    assert other(head).edge_attr.shape == (0, 3)
    with pytest.raises(InputError, match=r"edges lack length, which the run was trained on"):
        other("source,target,kind\nann,b-2,road\n")


def test_attributes_of_arrays(save: Callable[..., Path]) -> None:
    attributes = np.arange(24.0)
    config = GraphTrain(graph=save(edge_attr=attributes), conv="gine", normalize_features="none")
    known = survey(config)
    place = known.field.edge_index[0] * 24 + known.field.edge_index[1]
    assert known.field.edge_attr[place == 24 * 3 + 4].tolist() == [[3]]
    assert known.field.edge_attr[place == 24 * 4 + 3].tolist() == [[3]]
    wide = read_graph(save(edge_attr=np.ones((24, 2))), columns_of(config))
    with pytest.raises(InputError, match=r"edges have 2 attributes, but the run was trained on 1"):
        field_of(wide, known.info.inputs, edges_of(wide, undirected=True))
    with pytest.raises(InputError, match=r"edge_attr has the shape \(23,\)"):
        survey(GraphTrain(graph=save(edge_attr=np.ones(23)), conv="gine"))
    with pytest.raises(InputError, match=r"`edge_columns` is for edges\.csv and GraphML"):
        survey(GraphTrain(graph=save(), conv="gine", edge_columns=["a"]))


NODES = "id,kind,size,note,label\n" + "".join(
    f"n{i},{['road', 'rail', ''][i % 3]},{i},about {i},{'ab'[i % 2]}\n" for i in range(24)
)


def test_words_of_nodes_become_columns_and_columns_are_chosen(tables: Callable[..., Path]) -> None:
    edges = "source,target\n" + "".join(f"n{i},n{(i + 1) % 24}\n" for i in range(24))
    config = GraphTrain(graph=tables(nodes=NODES, edges=edges), feature_columns="size,kind", normalize_features="none")
    known = survey(config)
    assert known.info.inputs.features.names == ("size", "kind=rail", "kind=road")
    assert known.field.x.to_dense()[:4].tolist() == [[0, 0, 1], [1, 1, 0], [2, 0, 0], [3, 0, 1]]
    with pytest.raises(InputError, match=r"nodes have no weight \(`feature_columns`\) but kind, size, note"):
        survey(config.model_copy(update={"feature_columns": ["weight"]}))
    other = read_graph(tables(nodes=NODES.replace("rail", "road"), edges=edges), columns_of(config))
    field = field_of(other, known.info.inputs, edges_of(other, undirected=True))
    assert field.x.to_dense()[:3].tolist() == [[0, 0, 1], [1, 0, 1], [2, 0, 0]]  # a word that no node has
    many = "id,kind,label\n" + "".join(f"m{i},w{i},{'ab'[i % 2]}\n" for i in range(70))
    with pytest.raises(InputError, match=r"kind has 70 different words; a feature of nodes is .* `feature_columns`"):
        survey(GraphTrain(graph=tables(nodes=many, edges="source,target\nm0,m1\n")))


def test_degrees_are_features_beside_others_or_alone(save: Callable[..., Path], tables: Callable[..., Path]) -> None:
    star = np.array([[0, 0, 0, 1], [1, 2, 3, 2]])
    known = survey(GraphTrain(graph=save(edge_index=star), degrees=True))
    assert known.info.inputs.channels == 6 + 4
    assert known.field.x.to_dense()[:5, 6:].argmax(dim=1).tolist() == [3, 2, 2, 1, 0]
    path = save(x=None, edge_index=star)
    assert survey(GraphTrain(graph=path, degrees=True)).field.x.shape == (24, 4)
    with pytest.raises(InputError, match="has no x or node_features"):
        survey(GraphTrain(graph=path))
    nodes = "id,label\n" + "".join(f"n{i},{'ab'[i % 2]}\n" for i in range(24))
    folder = tables(nodes=nodes, edges="source,target\nn0,n1\nn1,n2\n")
    assert survey(GraphTrain(graph=folder, degrees=True)).field.x.to_dense()[1].tolist() == [0, 0, 1]
    with pytest.raises(InputError, match=r"nodes have no features; .* or pass `degrees`"):
        survey(GraphTrain(graph=folder))
