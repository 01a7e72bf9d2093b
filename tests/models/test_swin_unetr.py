"""Swin UNETR against MONAI's with copied weights, and where that refuses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from multiunet import Grid, UNet, receptive_field
from multiunet.geometries import BlockDown, Conv, InTurn, MaxPool, PatchMerging, Window
from multiunet.models.swin_unetr import swin_unetr
from multiunet.testing.tiles import check_tiles

MONAIS_ORDER = {
    2: [(0, 0), (1, 0), (0, 1), (1, 1)],
    3: [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)],
}
"""Sites of a patch as MONAI puts them side by side."""


def copy(ours: UNet[Any], theirs: Any, ndim: int) -> None:
    swin = theirs.swinViT
    ours.downs[0].layer.load_state_dict(swin.patch_embed.proj.state_dict())
    order = [MONAIS_ORDER[ndim].index(site) for site in itertools.product((0, 1), repeat=ndim)]

    def sorted_sites(weight: torch.Tensor) -> torch.Tensor:
        return weight.unflatten(-1, (len(order), -1))[..., order, :].flatten(-2)

    for down, (stage,) in zip(ours.downs[1:], (swin.layers1, swin.layers2, swin.layers3, swin.layers4), strict=True):
        for mine, other in zip(down.block.blocks, stage.blocks, strict=True):
            copy_window(mine, other)
        merging = stage.downsample
        for mine, other in (
            (down.down.norm.weight, merging.norm.weight),
            (down.down.norm.bias, merging.norm.bias),
            (down.down.reduce.weight, merging.reduction.weight),
        ):
            mine.copy_(sorted_sites(other))
    across = [theirs.encoder1, theirs.encoder2, theirs.encoder3, theirs.encoder4]
    for merge, other in zip(list(ours.merges)[::-1], across):
        block = merge.join.block
        copy_convs(getattr(block, "block", block), other.layer)
    copy_convs(ours.bottleneck.blocks[0].block, theirs.encoder10.layer)
    ways = [theirs.decoder5, theirs.decoder4, theirs.decoder3, theirs.decoder2, theirs.decoder1]
    for up, level, other in zip(ours.ups, ours.decoder, ways, strict=True):
        up.layer.weight.copy_(other.transp_conv.conv.weight)
        up.layer.bias.zero_()  # theirs has none
        copy_convs(level.blocks[0], other.conv_block)
    ours.head.load_state_dict(theirs.out.conv.conv.state_dict())


def copy_window(ours: nn.Module, theirs: Any) -> None:
    mix, feed = ours.branches
    pairs = [(ours.norms[0], theirs.norm1), (ours.norms[1], theirs.norm2)]
    pairs += [(mix.qkv, theirs.attn.qkv), (mix.out, theirs.attn.proj)]
    for mine, other in [*pairs, (feed[0], theirs.mlp.linear1), (feed[2], theirs.mlp.linear2)]:
        mine.load_state_dict(other.state_dict())
    mix.table.copy_(theirs.attn.relative_position_bias_table)


def copy_convs(ours: nn.Module, theirs: Any) -> None:
    first, second = (layer for layer in ours.layers if hasattr(layer, "kernel_size"))
    first.weight.copy_(theirs.conv1.conv.weight)
    second.weight.copy_(theirs.conv2.conv.weight)
    assert hasattr(theirs, "conv3") == isinstance(ours.shortcut, nn.modules.conv._ConvNd)
    if hasattr(theirs, "conv3"):
        ours.shortcut.weight.copy_(theirs.conv3.conv.weight)
        ours.shortcut.bias.zero_()


@pytest.mark.parametrize(
    ("window", "space"), [((5, 4), (96, 64)), ((4, 4), (64, 64)), ((2, 2, 3), (32, 32, 64))], ids=str
)
@torch.no_grad()
def test_it_is_monais(window: tuple[int, ...], space: tuple[int, ...]) -> None:
    """Windows that fit the levels and such that do not, 1 channel and 2."""
    nets = pytest.importorskip("monai.networks.nets")
    pytest.importorskip("einops")
    torch.manual_seed(0)
    theirs = nets.SwinUNETR(2, 3, spatial_dims=len(space), window_size=window, feature_size=12, num_heads=(1, 2, 3, 4))
    for name, parameter in theirs.named_parameters():
        if "table" in name:
            nn.init.normal_(parameter)  # 0.02 at first: too little to see
    ours = swin_unetr(len(space), 2, 3, [12, 12, 24, 48, 96, 192], window=window, heads=(1, 2, 3, 4))
    copy(ours, theirs, len(space))
    x = torch.randn(1, 2, *space, dtype=torch.double)
    expected = theirs.double().eval()(x)
    assert expected.std() > 0.1
    assert (ours.double().eval()(x) - expected).abs().max() < 1e-9


@pytest.mark.parametrize("space", [(33, 50), (7, 5), (27, 30)], ids=str)
def test_it_takes_sizes_that_monais_refuses(space: tuple[int, ...]) -> None:
    net = swin_unetr(2, 1, 2, [8, 8, 16, 16, 16, 16], window=4)
    output = net(torch.randn(2, 1, *space))
    output.square().sum().backward()
    assert output.shape == (2, 2, *space)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_heads_are_one_a_level_that_has_windows() -> None:
    with pytest.raises(ValueError, match="heads has 1 entries for 2 levels"):
        swin_unetr(2, 1, 2, [8, 8, 16, 32], heads=[1])


def test_windows_of_a_way_down_and_blocks_of_a_skip_count() -> None:
    """Windows of 5 in front of the second way down, at 2 sites' distance."""
    seen = receptive_field(swin_unetr(1, 1, 2, [8, 8, 8], window=5, depths=[1], strides=[2, 2]))
    assert seen.tile_stride == (20,)
    assert not seen.exact  # instance normalisation
    plain = Grid(1, Conv(convs=1), BlockDown(Window(5, heads=1), PatchMerging()))
    net = UNet(plain, 1, 2, [4, 4])
    # two blocks of the finest level, the windows and the merging, a convolution at the bottom
    assert receptive_field(net).radius == (1 + 4 + 1 + 2 + 1,)
    assert receptive_field(net).tile_stride == (10,)


@pytest.mark.parametrize("down", [PatchMerging(), BlockDown(InTurn(Window(4, 2), Window(4, 2, True)), MaxPool())])
def test_its_ways_down_obey_the_law_of_tiles(down: Any) -> None:
    check_tiles(Grid(1, Conv(convs=1), down), 3)


@torch.no_grad()
def test_sites_of_a_window_are_put_side_by_side() -> None:
    merged = Grid(2, down=PatchMerging()).make_down(2, 3, (2, 3))
    x = torch.randn(1, 2, 3, 5)
    assert merged(x).shape == (1, 3, 2, 2)
    corner = torch.zeros(2, 3, 2)  # the last window has two sites, and zeros beyond
    corner[0, :2] = x[0, :, 2, 3:5].T
    torch.testing.assert_close(merged(x)[0, :, 1, 1], merged.reduce(merged.norm(corner.flatten())))


def test_a_way_down_is_told_nothing() -> None:
    with pytest.raises(ValueError, match="ways down are told no condition"):
        Grid(1, down=BlockDown(Window(condition_channels=2), PatchMerging()))
