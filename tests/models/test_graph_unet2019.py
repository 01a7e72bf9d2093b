from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GraphUNet

from multiunet.geometries.graph.edges import TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.models.graph_unet2019 import from_torch_geometric, graph_unet2019


@pytest.mark.parametrize(("depth", "ratio", "graphs"), [(1, 0.5, 1), (3, 0.5, 3), (2, 0.8, 2)])
def test_torch_geometric_is_reproduced_with_its_weights(depth: int, ratio: float, graphs: int) -> None:
    geometry = Graph()
    field = geometry.collate([geometry.example(6, seed) for seed in range(graphs)])
    peer = GraphUNet(6, 8, 3, depth, pool_ratios=ratio)
    ours = from_torch_geometric(peer)
    expected, found = peer(field.x, field.edge_index, field.batch), ours(field).x
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    for output in (expected, found):
        output.square().sum().backward()
    theirs, copies = (
        peer.down_convs[0].lin.weight.grad,
        ours.encoder[0].blocks[0].convolutions[0].neighbours.weight.grad,
    )
    torch.testing.assert_close(copies, theirs, rtol=1e-4, atol=1e-5)


def test_renormalised_weights_stay_finite_where_the_peer_does_not() -> None:
    torch.manual_seed(0)
    edges = torch.randint(0, 2000, (2, 8000))
    field = GraphField.of(torch.randn(2000, 4), torch.cat([edges, edges.flip(0)], dim=1))
    net = graph_unet2019(4, 2, hidden_channels=4, depth=10, edges=TwoHop(max_neighbours=64))
    assert torch.isfinite(net(field).x).all()
    with torch.no_grad():
        assert not torch.isfinite(GraphUNet(4, 4, 2, depth=10)(field.x, field.edge_index)).all()


def test_what_cannot_be_taken_over_is_said() -> None:
    for peer in (GraphUNet(3, 4, 2, depth=2, sum_res=False), GraphUNet(3, 4, 2, depth=2, pool_ratios=[0.5, 0.8])):
        with pytest.raises(ValueError, match="sum_res=True and one pool ratio"):
            from_torch_geometric(peer)
    for act in ("elu", torch.tanh):
        with pytest.raises(ValueError, match="only a GraphUNet with act='relu'"):
            from_torch_geometric(GraphUNet(4, 4, 2, 1, act=act))
    from_torch_geometric(GraphUNet(4, 4, 2, 1, act=torch.relu))
