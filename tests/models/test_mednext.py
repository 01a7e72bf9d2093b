"""MedNeXt against MONAI's with copied weights, where that refuses, and its ways down and up by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from multiunet import Grid, UNet, receptive_field
from multiunet.geometries import Inverted, InvertedDown, InvertedUp, MaxPool, Resize
from multiunet.models.mednext import Size, mednext
from multiunet.testing import check_geometry
from multiunet.testing.tiles import check_tiles


def copy(ours: UNet[Any], theirs: Any) -> None:
    """Copy all weights, part by part."""
    ours.encoder[0].blocks[0].entering.load_state_dict(theirs.stem.state_dict())
    levels = [*zip(ours.encoder, theirs.enc_stages, strict=True), (ours.bottleneck, theirs.bottleneck)]
    for level, stage in [*levels, *zip(ours.decoder, theirs.dec_stages, strict=True)]:
        for block, other in zip(level.blocks, stage, strict=True):
            copy_expanded(block.added, other)
    ways = [*zip(ours.downs, theirs.down_blocks, strict=True), *zip(ours.ups, theirs.up_blocks, strict=True)]
    for way, other in ways:
        copy_expanded(way.added, other)
        way.shortcut.load_state_dict(other.res_conv.state_dict())
    weight = theirs.out_0.conv_out.weight  # of a transposed convolution
    ours.head.weight.copy_(weight.transpose(0, 1))
    ours.head.bias.copy_(theirs.out_0.conv_out.bias)


def copy_expanded(ours: Any, theirs: Any) -> None:
    pairs = [(ours.conv, theirs.conv1), (ours.norm, theirs.norm)]
    for mine, other in [*pairs, (ours.expand, theirs.conv2), (ours.compress, theirs.conv3)]:
        mine.load_state_dict(other.state_dict())


@pytest.mark.parametrize(("size", "space", "kernel"), [("S", (32, 48), 3), ("L", (32, 32), 5), ("B", (16, 16, 32), 3)])
@torch.no_grad()
def test_it_is_monais(size: Size, space: tuple[int, ...], kernel: int) -> None:
    nets = pytest.importorskip("monai.networks.nets.mednext")
    torch.manual_seed(0)
    theirs = nets.create_mednext(size, len(space), 2, 3, kernel_size=kernel)
    for name, parameter in theirs.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter)  # 1 and 0 at first
    ours = mednext(len(space), 2, 3, size=size, kernel=kernel, deep_supervision=0)
    copy(ours, theirs)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    x = torch.randn(1, 2, *space, dtype=torch.double)
    expected = theirs.double().eval()(x)
    assert expected.std() > 0.01
    assert (ours.double().eval()(x) - expected).abs().max() < 1e-9


@pytest.mark.parametrize("space", [(33, 50), (7, 5), (27, 30)], ids=str)
def test_it_takes_sizes_that_monais_refuses(space: tuple[int, ...]) -> None:
    net = mednext(2, 1, 2, [4, 8, 16])
    outputs = net.outputs(torch.randn(2, 1, *space))
    sum(output.square().sum() for output in outputs).backward()
    assert [tuple(output.shape) for output in outputs] == [(2, 2, *space), (2, 2, *(-(-n // 2) for n in space))]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_its_parts_obey_the_law_of_tiles(stride: int) -> None:
    """With a norm that is local, also where the stride is longer than the kernel."""
    check_tiles(Grid(1, Inverted(kernel=5), InvertedDown(), InvertedUp()), stride)


@pytest.mark.parametrize("ndim", [1, 2])
def test_its_parts_conform(ndim: int) -> None:
    check_geometry(Grid(ndim, Inverted(), InvertedDown(), InvertedUp(), activation="gelu"))


@torch.no_grad()
def test_ways_by_hand() -> None:
    """Each coarse site begins as the first of its sites, and comes back as the last of them."""
    down = Grid(1, down=InvertedDown()).make_down(1, 1, 2)
    up = Grid(1, up=InvertedUp()).make_up(1, 1, 2)
    for way in (down, up):
        nn.init.zeros_(way.added.compress.weight)
        nn.init.zeros_(way.added.compress.bias)
        nn.init.constant_(way.shortcut.weight, 2.0)
        nn.init.zeros_(way.shortcut.bias)
    fine = torch.tensor([[[1.0, 2, 3, 4, 5]]])
    assert down(fine).tolist() == [[[2, 6, 10]]]
    assert up(torch.tensor([[[1.0, 2, 3]]]), fine).tolist() == [[[0, 2, 0, 4, 0]]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="size 'XL'"):
        mednext(2, 1, 2, size="XL")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be odd"):
        mednext(2, 1, 2, kernel=4)
    with pytest.raises(ValueError, match="expansion"):
        Inverted(0)
    with pytest.raises(ValueError, match="padding='valid'"):
        Grid(2, Inverted(), MaxPool(), Resize(), padding="valid")


def test_large_kernels_see_farther() -> None:
    radii = [receptive_field(mednext(1, 1, 2, [4, 8], kernel=kernel)).radius[0] for kernel in (3, 5)]
    assert radii[0] < radii[1]
