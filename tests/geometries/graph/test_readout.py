from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from multiunet.geometries.graph.dropout import FeatureDropout
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.readout import Readout
from multiunet.uncertainty import mc_dropout_sample

NONE = torch.zeros(2, 0, dtype=torch.int64)


def batch() -> GraphField:
    """Graphs of 3, 0, 1 and 0 nodes."""
    x = torch.tensor([[-1.0, 4.0], [-2.0, 5.0], [-6.0, 0.0], [7.0, 8.0]])
    return GraphField.union([GraphField.of(part, NONE) for part in (x[:3], x[:0], x[3:], x[:0])])


def test_readouts_by_hand() -> None:
    found = Readout(["mean", "max", "sum"])(batch())
    assert found.tolist() == [[-3, 3, -1, 5, -9, 9], [0] * 6, [7, 8, 7, 8, 7, 8], [0] * 6]


def test_readouts_agree_with_torch_geometric() -> None:
    field = Graph().collate([Graph().example(4, seed) for seed in range(5)])
    peers = [pool(field.x, field.batch) for pool in (global_mean_pool, global_max_pool, global_add_pool)]
    torch.testing.assert_close(Readout(["mean", "max", "sum"])(field), torch.cat(peers, dim=1))


def test_empty_graphs_give_and_receive_finite_numbers() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    field = GraphField.union([GraphField.of(x[:0], NONE), GraphField.of(x, NONE)])
    Readout(["mean", "max", "sum"])(field).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert Readout(["max"])(GraphField.of(torch.zeros(0, 2), NONE)).tolist() == [[0, 0]]


@pytest.mark.parametrize("kinds", [[], ["mean", "median"]])
def test_unknown_readouts_are_refused(kinds: list) -> None:
    with pytest.raises(ValueError, match="give at least one of mean, max, sum"):
        Readout(kinds)


def test_dropout_of_whole_channels_is_of_each_graph_in_training_and_one_network_in_a_sample() -> None:
    field = GraphField.union([GraphField.of(torch.ones(4, 40), NONE) for _ in range(3)])
    dropout = FeatureDropout(0.5, whole_channels=True)
    x = dropout(field).x.reshape(3, 4, 40)
    assert (x == x[:, :1]).all()
    assert (x[0] != x[1]).any()
    assert set(x.unique().tolist()) == {0.0, 2.0}
    dropout.eval()
    assert torch.equal(dropout(field).x, field.x)
    with mc_dropout_sample(dropout, seed=0, sample=1):
        x = dropout(field).x
        assert (x == x[0]).all()
        assert (x == 0).any()
        assert torch.equal(dropout(GraphField.of(field.x[:1], NONE)).x, x[:1])
