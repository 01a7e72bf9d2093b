"""Scale and shift of grids' features by a condition's embedding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from multiunet import Condition, Grid, NestedUNet, UNet
from multiunet.core import Modulation
from multiunet.geometries import Conv
from multiunet.testing.conditions import check_conditions
from multiunet.testing.conformance import check_recomputation

EMBEDDING = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])


def stir(net: nn.Module) -> nn.Module:
    """Modulations as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, Modulation):
            module.linear.weight.data.normal_(generator=generator)
            module.linear.bias.data.normal_(generator=generator)
    return net


def test_each_norm_is_followed_by_the_papers_equation() -> None:
    """x (1 + scale) + shift (Perez et al. 2018), by hand."""
    block = stir(Grid(1, Conv(convs=1, condition_channels=3)).make_block(2, 4)).eval()
    conv, norm, modulated, _ = block.layers
    x = torch.randn(2, 2, 7)
    both = EMBEDDING @ modulated.modulation.linear.weight.T + modulated.modulation.linear.bias
    scale, shift = both[:, :4, None], both[:, 4:, None]
    expected = (norm(conv(x)) * (1 + scale) + shift).relu()
    torch.testing.assert_close(block(x, Condition(EMBEDDING)), expected)


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("own", [{}, {"residual": True}, {"separable": "inner"}], ids=repr)
def test_a_new_network_and_one_without_an_embedding_are_those_without_room_for_it(kind: type, own: dict) -> None:
    net = kind(Grid(2, Conv(condition_channels=3, **own)), 1, 2, [4, 6, 8]).eval()
    without = kind(Grid(2, Conv(**own)), 1, 2, [4, 6, 8]).eval()
    kept = [value for name, value in net.state_dict().items() if "modulation" not in name]
    without.load_state_dict(dict(zip(without.state_dict(), kept, strict=True)))
    x = torch.randn(2, 1, 19, 14)
    assert torch.equal(net(x, Condition(EMBEDDING)), without(x))
    stir(net)
    assert torch.equal(net(x), without(x))
    assert not torch.allclose(net(x, Condition(EMBEDDING)), without(x), atol=1e-3)


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("own", [{}, {"residual": True}, {"convs": 3}], ids=repr)
def test_gradient_checkpointing_passes_the_condition_on(kind: type, own: dict) -> None:
    grid = Grid(1, Conv(condition_channels=3, dropout=0.2, **own))
    nets = [kind(grid, 3, 2, [4, 6, 8], gradient_checkpointing=on) for on in (False, True)]
    stir(nets[0])
    check_recomputation(*nets, grid, grid.example(3, 0), grid.example_condition(0))


def test_deep_supervision_hears_it_too() -> None:
    net = stir(UNet(Grid(1, Conv(condition_channels=3)), 1, 2, [4, 6, 8], deep_supervision=1)).eval()
    x = torch.randn(2, 1, 16)
    for told, plain in zip(net.outputs(x, Condition(EMBEDDING)), net.outputs(x), strict=True):
        assert not torch.allclose(told, plain, atol=1e-3)


@pytest.mark.parametrize("normalization", ["none", "group"])
def test_conditions_obey_their_law(normalization: str) -> None:
    check_conditions(Grid(2, Conv(condition_channels=2), normalization=normalization))


@pytest.mark.parametrize("condition", [Condition(EMBEDDING), Condition(tokens=torch.zeros(2, 3, 4))])
@pytest.mark.parametrize("kind", [UNet, NestedUNet])
def test_a_condition_that_no_block_reads_is_refused(kind: type, condition: Condition) -> None:
    net = kind(Grid(1), 1, 2, [4, 6])
    for call in (net, net.encode, net.outputs):
        with pytest.raises(ValueError, match="which no block of the network reads: build the network with blocks"):
            call(torch.zeros(2, 1, 8), condition)


def test_embeddings_of_other_numbers_are_refused() -> None:
    net = UNet(Grid(1, Conv(condition_channels=3)), 1, 2, [4, 6])
    with pytest.raises(ValueError, match="2 embeddings are given for a batch of 3; give one for each sample"):
        net(torch.zeros(3, 1, 8), Condition(EMBEDDING))
    with pytest.raises(ValueError, match="an embedding has 2 channels where the network takes 3"):
        net(torch.zeros(2, 1, 8), Condition(EMBEDDING[:, :2]))
