from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def test_a_union_of_unions_is_their_union() -> None:
    geometry = Graph()
    a, b, c = (geometry.example(2, seed) for seed in range(3))
    b = replace(b, edge_weight=torch.rand(b.edge_index.shape[1]))
    nested, flat = geometry.collate([geometry.collate([a, b]), c]), geometry.collate([a, b, c])
    assert nested.graphs == flat.graphs == 3
    for name in ("x", "edge_index", "batch", "edge_weight"):
        assert torch.equal(getattr(nested, name), getattr(flat, name))


@pytest.mark.parametrize(
    ("x", "edges", "weight", "reason"),
    [
        (torch.zeros(3), NO_EDGES, None, "nodes, channels"),
        (torch.zeros(3, 1), torch.zeros(3, 2, dtype=torch.int64), None, "2, edges"),
        (torch.zeros(3, 1), torch.zeros(2, 2), None, "int64"),
        (torch.zeros(3, 1), torch.tensor([[0], [3]]), None, "0..3 of 3"),
        (torch.zeros(3, 1), torch.tensor([[-1], [0]]), None, "-1..0 of 3"),
        (torch.zeros(3, 1), torch.tensor([[0], [1]]), torch.ones(2), "one for each edge"),
    ],
)
def test_graphs_that_contradict_themselves_are_refused(
    x: Tensor, edges: Tensor, weight: Tensor | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        GraphField.of(x, edges, weight)


def test_graphs_of_other_libraries(undirected: Callable[..., Tensor]) -> None:
    import networkx
    from torch_geometric.data import Batch, Data

    graph = networkx.Graph()
    graph.add_node("b", mass=2, charge=-1)
    graph.add_node("a", mass=1, charge=0.5)
    graph.add_edge("a", "b", weight=3)
    field = GraphField.from_networkx(graph, ["charge", "mass"])
    assert field.x.tolist() == [[-1, 2], [0.5, 1]]
    assert sorted(map(tuple, field.edge_index.T.tolist())) == [(0, 1), (1, 0)]
    assert field.weights().tolist() == [3, 3]
    assert GraphField.from_networkx(networkx.DiGraph(graph.edges), []).edge_index.shape == (2, 1)
    with pytest.raises(ValueError, match="node 'b' has no attribute 'size'"):
        GraphField.from_networkx(graph, ["size"])
    graph.add_edge("a", "a")
    with pytest.raises(ValueError, match="some edges have a weight"):
        GraphField.from_networkx(graph, ["mass"])
    items = [Data(x=torch.randn(n, 2), edge_index=undirected((0, 1))) for n in (3, 2)]
    batch = GraphField.from_torch_geometric(Batch.from_data_list(items))
    expected = GraphField.union([GraphField.from_torch_geometric(item) for item in items])
    assert (batch.graphs, batch.batch.tolist()) == (2, expected.batch.tolist())
    assert torch.equal(batch.edge_index, expected.edge_index)


def test_moving_a_field_moves_all_of_it(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = replace(path_graph(torch.zeros(3, 1)), edge_weight=torch.ones(4), parent=torch.arange(3))
    moved = field.to("meta")
    for name in ("x", "edge_index", "batch", "edge_weight", "parent"):
        assert getattr(moved, name).device.type == "meta"
    assert moved.graphs == 1


def test_another_type_is_that_of_numbers_and_not_of_indices(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = replace(path_graph(torch.zeros(3, 1)), edge_weight=torch.ones(4), parent=torch.arange(3))
    other = field.to(torch.bfloat16)
    assert (other.x.dtype, other.edge_weight.dtype) == (torch.bfloat16, torch.bfloat16)
    assert (other.edge_index.dtype, other.batch.dtype, other.parent.dtype) == (torch.int64,) * 3


def test_what_a_graph_of_torch_geometric_lacks_is_said() -> None:
    from torch_geometric.data import Data

    edges = torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="no features x"):
        GraphField.from_torch_geometric(Data(edge_index=edges, num_nodes=2))
    with pytest.raises(ValueError, match=r"features x are torch.int64.*x.float\(\)"):
        GraphField.from_torch_geometric(Data(x=torch.zeros(2, 1, dtype=torch.int64), edge_index=edges))
    data = Data(x=torch.zeros(3, 1), edge_index=edges, batch=torch.tensor([0, 0, 1]))
    assert GraphField.from_torch_geometric(data).graphs == 2
    with pytest.raises(ValueError, match="no graphs were given"):
        GraphField.union([])
