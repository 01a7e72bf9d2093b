"""The virtual node: by hand, in batches, and within a network."""

from __future__ import annotations

import torch

from multiunet import Graph, GraphField, UNet
from multiunet.geometries.graph.virtual_node import VirtualNode


def random_parameters(net: torch.nn.Module) -> None:
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g))


def test_all_nodes_are_told_the_mean_of_their_graph() -> None:
    node = VirtualNode(4)
    graphs = [GraphField.of(torch.randn(nodes, 4), torch.zeros(2, 0).long()) for nodes in (3, 5)]
    union = GraphField.union(graphs)
    assert torch.equal(node(union).x, union.x)  # at first
    random_parameters(node)
    told = [node.out(node.hidden(graph.x.mean(dim=0)).relu()) for graph in graphs]
    expected = torch.cat([graph.x + one for graph, one in zip(graphs, told)])
    torch.testing.assert_close(node(union).x, expected)


def test_a_graph_without_nodes_or_edges_is_none_of_its_business() -> None:
    node = VirtualNode(4)
    random_parameters(node)
    empty = GraphField.of(torch.zeros(0, 4), torch.zeros(2, 0).long())
    assert node(empty).x.shape == (0, 4)


def test_without_edges_nodes_hear_each_other_in_a_network_with_it_alone() -> None:
    field = GraphField.of(torch.randn(6, 3), torch.zeros(2, 0).long())
    moved = GraphField.of(field.x.clone(), field.edge_index)
    moved.x[0] += 1
    for virtual in (False, True):
        net = UNet(Graph(virtual_node=virtual), 3, 2, [8, 8], strides=[1.0])
        random_parameters(net)
        heard = (net(field).x[1:] - net(moved).x[1:]).abs().amax(dim=1)
        assert bool((heard > 0).all()) is virtual
