from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from multiunet.core import Condition, Modulation, UNet
from multiunet.geometries.graph.block import ModulateNodes
from multiunet.geometries.graph.conv import GCN, GIN
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.models.graph_readout import graph_readout_unet
from multiunet.models.graph_unet import graph_unet

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def randomise(net: nn.Module) -> None:
    """Give modulations, which are zero at first, an effect."""
    g = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, Modulation):
            for parameter in module.parameters():
                parameter.data = 0.3 * torch.randn(parameter.shape, generator=g)


def conditions(seeds: Sequence[int]) -> list[Condition]:
    return [Condition(torch.randn(1, 4, generator=torch.Generator().manual_seed(seed))) for seed in seeds]


def test_a_block_scales_and_shifts_each_graph_by_hand() -> None:
    # two graphs of two linked nodes and of one; a node's average with its neighbour, then relu
    field = GraphField.union(
        [
            GraphField.of(torch.tensor([[2.0], [4.0]]), torch.tensor([[0, 1], [1, 0]])),
            GraphField.of(torch.tensor([[5.0]]), NO_EDGES),
        ]
    )
    block = Graph(condition_channels=1).make_block(1, 1)
    block.convolutions[0].neighbours.weight.data = torch.ones(1, 1)
    linear = block.modulations[0].modulation.linear
    linear.weight.data = torch.tensor([[0.5], [-2.0]])  # scale, shift
    linear.bias.data = torch.tensor([0.0, 1.0])
    found = block(field, Condition(torch.tensor([[1.0], [3.0]])))
    # 3 (1 + 0.5) - 2 + 1 = 3.5 at both nodes; 5 (1 + 1.5) - 6 + 1 = 7.5
    torch.testing.assert_close(found.x, torch.tensor([[3.5], [3.5], [7.5]]))


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_each_norm_is_followed_by_a_modulation(normalization: str) -> None:
    geometry = Graph(convs=2, normalization=normalization, condition_channels=4)  # type: ignore[arg-type]
    block, field, [condition] = geometry.make_block(3, 5), geometry.example(3, 0), conditions([0])
    randomise(block)
    x = field
    for mix, norm, modulate in zip(block.convolutions, block.norms, block.modulations):
        scale, shift = modulate.modulation.linear(condition.embedding).split(5, dim=1)
        x = geometry.with_features(x, (norm(mix(x)).x * (1 + scale) + shift).relu())
    torch.testing.assert_close(block(field, condition).x, x.x)


def test_a_new_network_is_the_one_without_condition() -> None:
    plain, conditioned = (UNet(Graph(condition_channels=count), 3, 2, [6, 8, 10]) for count in (0, 4))
    added = conditioned.load_state_dict(plain.state_dict(), strict=False)
    assert not added.unexpected_keys
    assert all(".modulation." in name for name in added.missing_keys)
    field, [condition] = Graph().example(3, 0), conditions([0])
    assert torch.equal(conditioned(field, condition).x, plain(field).x)
    randomise(conditioned)
    assert torch.equal(conditioned(field).x, plain(field).x)
    assert not torch.allclose(conditioned(field, condition).x, plain(field).x)


@pytest.mark.parametrize("pool", [TopK(), HeavyEdgeMatching(), MinCut(clusters=3)], ids=repr)
@pytest.mark.parametrize("readout", [False, True])
def test_a_batch_equals_one_at_a_time(pool: Pooling, readout: bool) -> None:
    geometry = Graph(conv=GIN(), pool=pool, normalization="batch", condition_channels=4)
    net = (graph_readout_unet if readout else graph_unet)(3, 2, [6, 8, 10], geometry=geometry).eval()
    randomise(net)
    fields = [geometry.example(3, seed) for seed in range(3)]
    fields.insert(1, GraphField.of(torch.zeros(0, 3), NO_EDGES))  # a graph without nodes has its condition, too
    each = conditions(range(4))
    together = net(geometry.collate(fields), Condition.join(each)).x
    torch.testing.assert_close(together, torch.cat([net(field, one).x for field, one in zip(fields, each)]))
    moved = net(geometry.collate(fields), Condition.join(each[::-1])).x
    assert not torch.allclose(moved, together)


@pytest.mark.parametrize("readout", [False, True])
def test_every_parameter_that_reads_the_condition_learns(readout: bool) -> None:
    geometry = Graph(conv=GCN(hops=2), convs=2, activation="elu", condition_channels=4)
    net = (graph_readout_unet if readout else graph_unet)(3, 2, [6, 8, 10], geometry=geometry)
    condition = geometry.example_condition(0)
    assert condition is not None
    net(geometry.example(3, 0), condition).x.square().sum().backward()
    read = [parameter for name, parameter in net.named_parameters() if ".modulation." in name]
    assert len(read) == 2 * 2 * 5  # weight and bias, two convolutions, five blocks
    assert all(parameter.grad.abs().sum() > 0 for parameter in read)


def test_the_number_of_embeddings_is_that_of_graphs() -> None:
    geometry = Graph(condition_channels=4)
    batch = geometry.collate([geometry.example(3, seed) for seed in range(3)])
    with pytest.raises(ValueError, match="condition has 2 embeddings for 3 graphs"):
        geometry.make_block(3, 5)(batch, Condition.join(conditions(range(2))))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_condition_takes_the_networks_type(dtype: torch.dtype) -> None:
    net, field = ModulateNodes(4, 3).to(dtype), Graph().example(3, 0).to(dtype)
    output: Tensor = net(field, conditions([0])[0]).x
    assert output.dtype == dtype


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_checkpointing_changes_no_bit_of_gradients(normalization: str) -> None:
    geometry = Graph(normalization=normalization, dropout=0.3, condition_channels=4)  # type: ignore[arg-type]
    batch = geometry.collate([geometry.example(3, seed) for seed in range(3)])
    condition = Condition.join(conditions(range(3)))
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        net = UNet(geometry, 3, 2, [6, 8, 10], gradient_checkpointing=checkpointing)
        randomise(net)
        net(batch, condition).x.square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    for plain, again in zip(*gradients, strict=True):
        assert torch.equal(plain, again)
