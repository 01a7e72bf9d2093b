from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from multiunet import Add, AttentionGate, Concat, Graph, Grid, NoSkip, UNet
from multiunet.core import Dropout, LazyConcat, NestedUNet, reads_sites_alone
from multiunet.core.lazy import compute_once
from multiunet.core.shared import Shared, is_fixed, sites_of
from multiunet.geometries import Conv, PixelShuffle, Resize, StridedConv, Transposed
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.soft import MinCut
from multiunet.geometries.grid.chain import call_on_parts
from multiunet.testing.helpers import train_a_little
from multiunet.testing.samples import check_shared_trail

GRID = Grid(1)


class Counted:
    """A reader's function that counts its calls."""

    def __init__(self, made: Tensor) -> None:
        self.made, self.calls = made, 0

    def __call__(self, field: Tensor) -> Tensor:
        self.calls += 1
        return self.made + field.sum()


def test_a_shared_field_is_read_once_and_its_result_stands_in_its_place() -> None:
    field, make, reader = torch.ones(1, 2, 3), Counted(torch.zeros(1, 2, 3)), object()
    shared = Shared(GRID, field)
    assert not shared.is_read
    assert shared.raw() is field
    first = shared.read(reader, make)
    assert torch.equal(first, torch.full((1, 2, 3), 6.0))
    assert shared.read(reader, make) is first
    assert sites_of(shared) is first
    assert (make.calls, shared.channels) == (1, 2)
    with pytest.raises(RuntimeError, match="read by one layer in the first decoding and by another in a later one"):
        shared.raw()
    with pytest.raises(RuntimeError, match="change neither the network nor its hooks between samples"):
        shared.read(object(), make)


@pytest.mark.parametrize("made", [torch.zeros(1, 3, 3), torch.zeros(1, 1, 2)], ids=["more channels", "other sites"])
def test_what_would_take_more_memory_or_lie_elsewhere_is_not_kept(made: Tensor) -> None:
    shared, make, reader = Shared(GRID, torch.ones(1, 2, 3)), Counted(made), object()
    for _ in range(2):
        assert shared.read(reader, make).shape == made.shape
    assert make.calls == 2
    roomy = Shared(GRID, torch.ones(1, 2, 3), room=made.nbytes)
    for _ in range(2):
        roomy.read(reader, make)
    assert make.calls == 3


def test_what_is_computed_once_is_given_as_a_copy() -> None:
    block, make = nn.Identity(), Counted(torch.zeros(1, 2, 3))
    x = LazyConcat(GRID, (Shared(GRID, torch.ones(1, 2, 3), room=1000),))
    first = compute_once(x, block, [block], make)  # type: ignore[arg-type]
    first.zero_()
    assert torch.equal(compute_once(x, block, [block], make), torch.full((1, 2, 3), 6.0))  # type: ignore[arg-type]
    assert make.calls == 1


def test_dropout_and_hooks_are_not_fixed() -> None:
    assert is_fixed(nn.Sequential(nn.ReLU(), Dropout(0.0, True)))
    assert not is_fixed(nn.Sequential(nn.ReLU(), Dropout(0.1, True)))
    hooked = nn.ReLU()
    hooked.register_forward_hook(lambda *given: None)
    assert not is_fixed(nn.Sequential(hooked))


def test_the_product_of_a_shared_part_is_the_sum_by_hand() -> None:
    conv = nn.Conv1d(5, 3, 3, padding=1)
    x, skip = torch.randn(2, 2, 7), torch.randn(2, 3, 7)
    shared = Shared(GRID, skip)
    with torch.no_grad():
        found = [call_on_parts(conv, LazyConcat(GRID, (x + t, shared))) for t in range(2)]
        for t, one in enumerate(found):
            torch.testing.assert_close(one, conv(torch.cat([x + t, skip], dim=1)))
    torch.testing.assert_close(shared.field, nn.functional.conv1d(skip, conv.weight[:, 2:], padding=1))


GRIDS = [
    *(Grid(ndim, Conv(dropout=0.3)) for ndim in (1, 2, 3)),
    *(Grid(2, Conv(dropout=0.3), normalization=norm) for norm in ("none", "instance", "group")),
    *(Grid(2, Conv(dropout=0.3), up=up) for up in (Resize("linear"), Transposed(), PixelShuffle(activated=True))),
    *(Grid(1, Conv(dropout=0.3, **own)) for own in ({"residual": True}, {"separable": "all"}, {"convs": 1})),
    Grid(2, Conv(dropout=0.3), StridedConv(), activation="prelu"),
    Grid(2, Conv(dropout=0.3), padding="valid"),
]
GRAPHS = [
    *(Graph(conv=conv, dropout=0.3) for conv in (GCN(), GCN(hops=3), SAGE(), GIN(), GINE())),
    *(Graph(pool=pool, dropout=0.3) for pool in (HeavyEdgeMatching(), MinCut(3))),
    Graph(dropout=0.3, edge_dropout=0.2, node_dropout=0.2),
    Graph(dropout=0.3, convs=2, residual=True, normalization="batch"),
]


@pytest.mark.parametrize("skip", [Concat, Add, AttentionGate, NoSkip])
@pytest.mark.parametrize("geometry", [*GRIDS, *GRAPHS], ids=repr)
def test_samples_of_a_shared_trail_are_those_of_their_own(geometry: Grid | Graph, skip: type) -> None:
    torch.manual_seed(0)
    without = replace(geometry, block=Conv()) if isinstance(geometry, Grid) else Graph(pool=geometry.pool)
    field = geometry.example(3, seed=0)
    if isinstance(geometry, Grid) and geometry.padding == "valid":
        field = torch.randn(1, 3, 60, 61)
    net = UNet(without, 3, 2, [6, 8, 10], skip=skip, decoder=geometry)
    train_a_little(net, geometry, field)
    check_shared_trail(net, geometry, field)


@pytest.mark.parametrize(
    "options",
    [{"fuse": True}, {"path_norm": "before"}, {"path_norm": "after"}, {"gradient_checkpointing": True}],
    ids=repr,
)
@pytest.mark.parametrize("kind", [UNet, NestedUNet])
def test_so_they_are_with_other_merges_and_topologies(kind: type, options: dict) -> None:
    if kind is NestedUNet and "fuse" in options:
        return
    torch.manual_seed(0)
    net = kind(Grid(2), 3, 2, [4, 6, 8], decoder=Grid(2, Conv(dropout=0.3)), **options)
    check_shared_trail(net, Grid(2), torch.randn(2, 3, 37, 22))


def products(net: UNet, field: Tensor) -> list[bool]:
    """Say whether products stand in place of the saved fields, finest first, and of the bottom."""
    with torch.no_grad():
        trail = net.eval().share(net.encode(field))
        net.decode(trail)
    bottom = trail.bottom.members[0] if isinstance(trail.bottom, LazyConcat) else trail.bottom
    return [isinstance(one, Shared) and one.is_read for one in (*trail.saved, bottom)]


def decoding(grid: Grid = Grid(1, Conv(dropout=0.1)), **options: object) -> UNet:  # noqa: B008 -- frozen
    return UNet(GRID, 1, 2, [4, 4, 4], decoder=grid, **options)  # type: ignore[arg-type]


X = torch.randn(1, 1, 32)


def test_products_stand_in_place_of_saved_fields() -> None:
    assert products(decoding(), X) == [True, True, True]
    assert products(decoding(gradient_checkpointing=True), X) == [True, True, True]
    assert products(decoding(skip=Add), X) == [True, True, True]


@pytest.mark.parametrize("options", [{"skip": AttentionGate}, {"fuse": True}, {"path_norm": "before"}])
def test_saved_fields_that_others_read_stay(options: dict) -> None:
    assert products(decoding(**options), X) == [False, False, True]


def test_saved_fields_that_two_layers_read_stay() -> None:
    assert products(decoding(Grid(1, Conv(dropout=0.1, residual=True))), X) == [False, False, True]


def test_a_way_up_that_reads_the_skip_gets_the_skip() -> None:
    net = decoding()

    class Guided(nn.Module):
        def forward(self, x: Tensor, skip: Tensor) -> Tensor:
            return nn.functional.interpolate(x, scale_factor=2) * skip.mean()

    net.ups[0] = Guided()  # the coarser
    assert products(net, X) == [True, False, True]
    check_shared_trail(net, GRID, X)
    Guided.forward = reads_sites_alone(Guided.forward)  # type: ignore[method-assign]
    assert products(net, X) == [True, True, True]


def test_hooks_fire_in_every_sample_with_the_field_itself() -> None:
    net, seen = decoding(), []
    watched = [net.bottleneck.blocks[0].layers[1], net.decoder[0].blocks[0], net.merges[1]]
    for module in watched:
        module.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs[-1])))
    with torch.no_grad():
        trail = net.eval().share(net.encode(X))
        for _ in range(2):
            net.decode(trail)
    assert [module for module, _ in seen] == watched * 2
    assert seen[-1][1] is trail.saved[0]
    assert products(net, X) == [False, False, False]


def test_training_and_gradients_share_nothing() -> None:
    net = decoding()
    with torch.no_grad():
        trail = net.train().encode(X)
        assert net.share(trail) is trail
    trail = net.eval().encode(X)
    assert net.share(trail) is trail


def test_a_subclass_that_decodes_in_its_own_way_sees_fields() -> None:
    class Reading(UNet[Tensor]):
        def decode(self, trail, condition=None):  # type: ignore[no-untyped-def]
            return super().decode(trail, condition) + trail.saved[0].mean() + trail.bottom.mean()

    net = Reading(GRID, 1, 2, [4, 4], decoder=Grid(1, Conv(dropout=0.3)))
    check_shared_trail(net, GRID, X)


def test_autocast_of_graphs_keeps_the_one_product() -> None:
    """A sum of two products rounded to bf16 would be less precise than one."""
    graph = Graph(dropout=0.3)
    net = UNet(Graph(), 3, 2, [4, 4], decoder=graph).eval()
    field = graph.example(3, seed=0)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        trail = net.share(net.encode(field))
        net.decode(trail)
        assert not trail.saved[0].is_read
    with torch.no_grad():
        trail = net.share(net.encode(field))
        net.decode(trail)
        assert trail.saved[0].is_read
