from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from multiunet.core import Add, AttentionGate, Concat, NestedUNet, NoSkip, UNet
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.soft import MinCut, SoftPool, Unshare, compute_penalties
from multiunet.tasks import Segmentation
from multiunet.training.data import Sample
from multiunet.training.supervision import supervised_loss

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def test_pooling_and_penalties_agree_with_torch_geometric() -> None:
    from torch_geometric.nn import dense_mincut_pool
    from torch_geometric.utils import to_dense_adj

    geometry = Graph()
    pool = SoftPool(4, clusters=3, penalty=0)
    for seed in range(3):
        field = geometry.example(4, seed)
        field = replace(field, x=field.x.double())
        coarse = pool.double()(field)
        adjacency = to_dense_adj(field.edge_index, max_num_nodes=len(field.x))[0].double()
        x, edges, cut, imbalance = dense_mincut_pool(field.x, adjacency, pool.mlp(field.x))
        torch.testing.assert_close(coarse.x, x[0])
        found = torch.zeros(3, 3, dtype=torch.double)
        found[coarse.edge_index[1], coarse.edge_index[0]] = coarse.edge_weight
        # theirs adds 1e-15 to square roots of sums
        torch.testing.assert_close(found, edges[0])
        torch.testing.assert_close(compute_penalties(field, coarse.shares), torch.stack([cut, imbalance]))
        torch.testing.assert_close(Unshare(4, 4)(coarse, field).x, coarse.shares @ x[0])


def test_graphs_of_a_batch_have_clusters_of_their_own() -> None:
    geometry, pool = Graph(), SoftPool(4, clusters=3, penalty=0)
    fields = [geometry.example(4, 0), GraphField.of(torch.randn(1, 4), NO_EDGES), geometry.example(4, 2)]
    together = pool(geometry.collate(fields))
    assert together.batch.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    torch.testing.assert_close(together.x, torch.cat([pool(field).x for field in fields]))
    torch.testing.assert_close(together.edge_weight, torch.cat([pool(field).edge_weight for field in fields]))
    owner = together.batch[together.edge_index]
    assert (owner[0] == owner[1]).all()
    starts = torch.tensor([0, *[len(field.x) for field in fields[:2]]]).cumsum(0)
    for graph, field in enumerate(fields):
        central = together.parent[together.batch == graph] - starts[graph]
        assert central.tolist() == pool(field).shares.argmax(dim=0).tolist()


def test_gradients_through_shares_and_edges_are_right() -> None:
    geometry = Graph(pool=MinCut(clusters=2, penalty=0), activation="elu")
    net = UNet(geometry, 2, 1, [3, 3]).double()
    field = geometry.example(2, 0)

    def output(x: torch.Tensor) -> torch.Tensor:
        return net(replace(field, x=x)).x

    assert torch.autograd.gradcheck(output, field.x.double().requires_grad_())


def test_a_pooled_field_carries_the_penalties_in_training_alone() -> None:
    field = Graph().example(4, 0)
    free, bound = SoftPool(4, 3, penalty=0), SoftPool(4, 3, penalty=0.5)
    bound.load_state_dict(free.state_dict())
    assert torch.equal(free(field).x, bound(field).x)
    expected = 0.5 * compute_penalties(field, free.mlp(field.x).softmax(dim=1)).sum()
    torch.testing.assert_close(bound(field).penalty, expected)
    assert free(field).penalty is None
    assert bound.eval()(field).penalty is None


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("skip", [Concat, Add, AttentionGate, NoSkip])
@pytest.mark.parametrize("pools", [(MinCut(3), MinCut(2)), (TopK(), MinCut(2)), (MinCut(3), HeavyEdgeMatching())])
def test_the_output_carries_the_penalties_of_all_pools(kind: type, skip: type, pools: tuple) -> None:
    levels = [*(Graph(pool=pool) for pool in pools), Graph()]
    net = kind(levels, 4, 2, [4, 4, 4], skip=skip)
    field = levels[0].example(4, 0)
    trail = net.encode(field)
    own = [below.penalty for below in (trail.saved[1], trail.bottom) if below.penalty is not None]
    assert len(own) == sum(isinstance(pool, MinCut) for pool in pools)
    torch.testing.assert_close(levels[0].penalty(net(field)), torch.stack(own).sum())


def test_training_adds_the_penalty_once_to_the_loss_that_it_scales() -> None:
    geometry = Graph(pool=MinCut(3))
    net, field = UNet(geometry, 4, 2, [4, 4, 4], deep_supervision=1), geometry.example(4, 0)
    task, target = Segmentation(["a", "b"]), torch.zeros(len(field.x), dtype=torch.int64)
    for outputs in (net.outputs(field), (net(field),)):
        loss = supervised_loss(net, task, geometry, outputs, Sample(field, target, None))
        free = [replace(output, penalty=None) for output in outputs]
        expected = supervised_loss(net, task, geometry, free, Sample(field, target, None)) + outputs[0].penalty
        torch.testing.assert_close(loss, expected)


def test_two_communities_are_found() -> None:
    """Two cliques and one edge between them: nothing but the compute_penalties teaches."""
    clique = torch.combinations(torch.arange(6)).T
    one_way = torch.cat([clique, clique + 6, torch.tensor([[0], [6]])], dim=1)
    field = GraphField.of(torch.eye(12), torch.cat([one_way, one_way.flip(0)], dim=1))
    pool = SoftPool(12, clusters=2, penalty=1)
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        pool(field).penalty.backward()
        optimizer.step()
    side = pool(field).shares.argmax(dim=1)
    assert len(side[:6].unique()) == len(side[6:].unique()) == 1
    assert side[0] != side[6]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="clusters 1"):
        Graph(pool=MinCut(clusters=1)).make_down(3, 3)
    field = Graph().example(2, 0)
    with pytest.raises(ValueError, match="no shares"):
        Unshare(2, 2)(Graph().make_down(2, 2)(field), field)
