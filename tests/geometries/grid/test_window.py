"""Attention within windows: against MONAI's block, by hand, at any size, and tile by tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Grid, GridPredictor, GridSource, Segmentation, UNet, receptive_field
from multiunet.geometries import Conv, InTurn, Window
from multiunet.testing import check_geometry
from multiunet.testing.conditions import check_conditions
from multiunet.testing.tiles import check_tiles

PAIR = InTurn(Window(4, heads=2), Window(4, heads=2, shifted=True))


def make_monai_block(window: tuple[int, ...], shifted: bool) -> Any:
    swin = pytest.importorskip("monai.networks.nets.swin_unetr")
    pytest.importorskip("einops")
    shift = [w // 2 if shifted else 0 for w in window]
    block = swin.SwinTransformerBlock(dim=12, num_heads=3, window_size=window, shift_size=shift)
    nn.init.normal_(block.attn.relative_position_bias_table)  # 0.02 at first: too little to see
    return block.eval()


def copy_block(ours: nn.Module, theirs: Any) -> None:
    """The weights of MONAI's block into ours."""
    mix, feed = ours.branches
    for mine, other in (
        *zip(ours.norms, (theirs.norm1, theirs.norm2)),
        *((mix.qkv, theirs.attn.qkv), (mix.out, theirs.attn.proj)),
        *((feed[0], theirs.mlp.linear1), (feed[2], theirs.mlp.linear2)),
    ):
        mine.load_state_dict(other.state_dict())
    mix.table.data.copy_(theirs.attn.relative_position_bias_table.data)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    ("window", "space"),
    [((4, 4), (8, 12)), ((4, 6), (9, 17)), ((4, 4), (4, 9)), ((2, 3, 4), (4, 6, 8)), ((2, 3, 2), (5, 7, 2))],
    ids=str,
)
@torch.no_grad()
def test_it_is_monais(window: tuple[int, ...], space: tuple[int, ...], shifted: bool) -> None:
    """Also where zeros fill the field up, which MONAI's block reads, and where one window holds an axis."""
    swin = pytest.importorskip("monai.networks.nets.swin_unetr")
    theirs = make_monai_block(window, shifted)
    ours = Grid(len(space), Window(window, 3, shifted, reads_fill=True)).make_block(12, 12).eval()
    copy_block(ours, theirs)
    x = torch.randn(2, 12, *space)
    used, shift = swin.get_window_size(space, window, theirs.shift_size)
    mask = swin.compute_mask([-(-n // w) * w for n, w in zip(space, used)], used, shift, x.device)
    expected = theirs(x.movedim(1, -1).contiguous(), mask).movedim(-1, 1)
    assert (ours(x) - expected).abs().max() < 2e-6 * expected.abs().max()


@pytest.mark.parametrize(("size", "shifted"), [(8, False), (8, True), (10, False), (10, True), (3, True), (4, True)])
@torch.no_grad()
def test_a_site_attends_to_its_window_and_to_nothing_else(size: int, shifted: bool) -> None:
    """Along a line, written out: windows of 4 that begin at 0, or at -2 where shifted, and hold what is there."""
    mix = Grid(1, Window(4, 2, shifted)).make_block(6, 6).eval().branches[0]
    nn.init.normal_(mix.table)
    x = torch.randn(1, size, 6)
    query, key, value = mix.qkv(x[0]).chunk(3, dim=1)
    begin = -2 if shifted and size > 4 else 0
    expected = []
    for site in range(size):
        first = begin + (site - begin) // 4 * 4
        seen = [other for other in range(first, first + 4) if 0 <= other < size]
        heads = []
        for head, part in enumerate((slice(0, 3), slice(3, 6))):
            scores = torch.stack(
                [query[site, part] @ key[o, part] / 3**0.5 + mix.table[site - o + 3, head] for o in seen]
            )
            heads.append(scores.softmax(0) @ value[seen][:, part])
        expected.append(mix.out(torch.cat(heads)))
    torch.testing.assert_close(mix(x)[0], torch.stack(expected))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("shifted", [False, True])
def test_windows_obey_the_law_of_tiles(ndim: int, shifted: bool) -> None:
    check_tiles(Grid(ndim, Window(3, heads=2, shifted=shifted, dropout=0.3)))


def test_windows_obey_all_laws() -> None:
    check_geometry(Grid(2, InTurn(Window((3, 4), heads=2), Window((3, 4), heads=2, shifted=True, dropout=0.2))))


@pytest.mark.parametrize("shape", [(301,), (9, 214), (6, 5, 214)], ids=str)
def test_tiles_of_a_windowed_network_are_the_whole(shape: tuple[int, ...]) -> None:
    """A hybrid whose windows of 4 on level 1 are 8 sites of the input wide, shifted ones, too."""
    torch.manual_seed(0)
    net = UNet([Grid(len(shape)), Grid(len(shape), InTurn(Conv(convs=1), PAIR))], 1, 2, [4, 6]).eval()
    for module in net.modules():
        if hasattr(module, "table"):
            nn.init.normal_(module.table)
    seen = receptive_field(net)
    assert seen.exact
    assert seen.tile_stride == (8,) * len(shape)
    x = torch.randn(1, *shape)

    def read(start: Any, stop: Any) -> Any:
        return x[(slice(None), *map(slice, start, stop))].numpy()

    source = GridSource("x", shape, read, tuple("zyx"[-len(shape) :]))
    predictor = GridPredictor(net, Segmentation(("a", "b")), net.geometry, torch.device("cpu"), tile=40)
    assert len(predictor.plan(shape)) > 1
    whole = GridPredictor(net, Segmentation(("a", "b")), net.geometry, torch.device("cpu"), tile=1000).whole(source)
    assert (predictor.whole(source).mean - whole.mean).abs().max() < 1e-5
    assert whole.mean.std() > 1e-2


@pytest.mark.parametrize("space", [(1, 1), (7, 5), (27, 30), (33, 50)], ids=str)
def test_any_size(space: tuple[int, ...]) -> None:
    net = UNet(Grid(2, PAIR), 1, 2, [4, 6, 8])
    output = net(torch.randn(2, 1, *space))
    output.sum().backward()
    assert output.shape == (2, 2, *space)
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_conditions_modulate_it_as_dit_does() -> None:
    check_conditions(Grid(2, Window(3, heads=2, condition_channels=2)))
    block = Grid(1, Window(4, heads=2, condition_channels=3)).make_block(4, 4)
    x: Tensor = torch.randn(2, 4, 9)
    assert torch.equal(block(x, Condition(torch.randn(2, 3))), x)  # gates are zero at first


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be shared out among 4 heads"):
        Grid(2, Window(4)).make_block(10, 10)
    with pytest.raises(ValueError, match="window \\(4, 4\\) needs 3 positive whole numbers"):
        Grid(3, Window((4, 4)))
    with pytest.raises(ValueError, match="heads 0 must be at least 1"):
        Window(heads=0)
    block = Grid(1, Window(4, heads=2, condition_channels=3)).make_block(4, 4)
    with pytest.raises(ValueError, match="3 embeddings are given for a batch of 2"):
        block(torch.zeros(2, 4, 9), Condition(torch.zeros(3, 3)))
