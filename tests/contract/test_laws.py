"""The laws of the architecture, for every geometry, skip and way of building a network."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch_geometric.nn import GraphConv

from multiunet import Add, AttentionGate, Concat, Geometry, Graph, Grid, NoSkip, UNet, receptive_field
from multiunet.core import LevelSpec
from multiunet.geometries import (
    Attention,
    AveragePool,
    Conv,
    CrossAttention,
    Down,
    InTurn,
    MaxPool,
    PixelShuffle,
    Resize,
    StridedConv,
    Transposed,
    Up,
)
from multiunet.geometries.graph.conv import GIN, GINE, SAGE
from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.testing import check_geometry, check_model
from multiunet.testing.conformance import check_recomputation

GRIDS = [
    *(Grid(ndim) for ndim in (1, 2, 3)),
    *(Grid(2, normalization=norm) for norm in ("none", "instance", "group")),
    *(Grid(2, down=down, up=up) for up, down in itertools.product(
        (Resize("linear"), Transposed(), PixelShuffle()), (AveragePool(), StridedConv()))),
    Grid(1, block=Conv(residual=True), activation="gelu"),
    Grid(3, block=Conv(residual=True), down=StridedConv(), up=Resize("linear", kernel=3)),
    Grid(2, block=Conv(kernel=(3, 5), convs=1), activation="leaky_relu"),
    Grid(2, block=Conv(growth="last", separable="inner"), up=Resize(activated=True), activation="prelu"),
    Grid(1, Conv(separable="all"), StridedConv(kernel=2), Resize("linear", activated=True), activation="elu"),
    Grid(1, Conv(convs=1), StridedConv(centred=False)),
    Grid(2, down=StridedConv(activated=True), up=PixelShuffle(activated=True)),
    Grid(1, Conv(condition_channels=2, dropout=0.3)),
    Grid(2, Conv(condition_channels=2, residual=True), normalization="instance"),
    Grid(1, InTurn(Attention(heads=1), Conv(convs=1, condition_channels=2), CrossAttention(3, heads=2, dropout=0.3))),
    Grid(2, InTurn(Conv(condition_channels=2), CrossAttention(3, heads=2, dropout=0.3)), normalization="layer"),
    Grid(3, InTurn(Conv(convs=1, condition_channels=2), CrossAttention(3, heads=2))),
]  # fmt: skip
POOLS = [
    *(TopK(edges=Induced()), TopK(gate="sigmoid", nodes=3), TopK(edges=TwoHop(weights="binary", max_neighbours=2))),
    *(SAG(), SAG(edges=Induced(), gate="sigmoid"), Contraction(), MinCut(clusters=3)),
    *(HeavyEdgeMatching(), HeavyEdgeMatching(by="weight", reduce="max"), HeavyEdgeMatching(reduce="sum")),
]
GRAPHS = [
    *(Graph(), Graph(convs=2, residual=True), Graph(normalization="layer")),
    # elu: of so few nodes relu may silence all that a node hears from others
    *(Graph(conv=conv, activation="elu") for conv in (SAGE(), GIN(), GINE(), GATv2(), PyGConv(GraphConv))),
    *(Graph(pool=pool) for pool in POOLS),
    *(Graph(conv=GINE(2), pool=pool, activation="elu") for pool in (TopK(), HeavyEdgeMatching(), MinCut(3))),
    Graph(conv=GATv2(2), pool=TopK(edges=Induced()), activation="elu"),
    Graph(dropout=0.3, whole_channels=True),
    Graph(condition_channels=2),
    Graph(pool=HeavyEdgeMatching(), normalization="layer", activation="elu", dropout=0.3, condition_channels=3),
    Graph(attention=Attention(heads=2, dropout=0.3), activation="elu"),
    Graph(condition_channels=2, attention=Attention(heads=2), cross_attention=CrossAttention(3, heads=2, dropout=0.3)),
]


@pytest.mark.parametrize("geometry", [*GRIDS, *GRAPHS], ids=repr)
def test_geometry_obeys_the_laws(geometry: Geometry) -> None:
    check_geometry(geometry)


@pytest.mark.parametrize(("ndim", "strides"), [(2, [(1, 2), (2, 1)]), (3, [(1, 2, 2), (2, 2, 2)]), (1, [5, 3])])
def test_per_axis_strides_obey_the_laws(ndim: int, strides: list) -> None:
    check_geometry(Grid(ndim), strides)


@pytest.mark.parametrize("geometry", [Grid(2, down=AveragePool()), Grid(2, down=StridedConv()), Graph()], ids=repr)
def test_other_widths_on_the_way_up_and_down_obey_the_laws(geometry: Geometry) -> None:
    levels = [
        LevelSpec(6, up_channels=4, decoder_channels=5, decoder_blocks=2),
        LevelSpec(8, entering=8, up_channels=9, decoder_channels=7, decoder_blocks=1),
        LevelSpec(10, entering=10),
    ]
    net = UNet(
        *(geometry, 3, 2, levels),
        deep_supervision=1,
    )
    check_model(net, geometry, in_channels=3, out_channels=2)


@pytest.mark.parametrize("path_norm", ["before", "after"])
@pytest.mark.parametrize("skip", [Concat, Add, AttentionGate, NoSkip])
@pytest.mark.parametrize("geometry", [Grid(2), Graph(normalization="batch")], ids=repr)
def test_path_norms_obey_the_laws(geometry: Geometry, skip: type, path_norm: str) -> None:
    net = UNet(geometry, 3, 2, [6, LevelSpec(8, blocks=2), 10], skip=skip, path_norm=path_norm)
    check_model(net, geometry, in_channels=3, out_channels=2)


@pytest.mark.parametrize("skip", [Concat, Add, AttentionGate, NoSkip])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_output_sits_on_the_input_sites_at_any_size(ndim: int, skip: type) -> None:
    net = UNet(Grid(ndim), 1, 2, [2, 3, 4, 5], skip=skip)
    for training in (True, False):
        net.train(training)
        for size in itertools.product(*[(1, 2, 7, 16, 17)] * ndim):
            output = net(torch.zeros(1, 1, *size))
            assert output.shape == (1, 2, *size)
            assert torch.isfinite(output).all()


@pytest.mark.parametrize(
    "geometry", [Grid(1, block=Conv(dropout=0.3)), Grid(2, block=Conv(dropout=0.3)), Graph(dropout=0.3)], ids=repr
)
def test_recomputation_keeps_every_bit_with_dropout(geometry: Geometry) -> None:
    plain, again = (
        UNet(geometry, 3, 2, [4, 6, 8], gradient_checkpointing=gradient_checkpointing)
        for gradient_checkpointing in (False, True)
    )
    check_recomputation(plain, again, geometry, geometry.example(3, seed=0))


@pytest.mark.parametrize("up", [Resize(), Resize("linear"), Transposed(), PixelShuffle()], ids=repr)
@pytest.mark.parametrize("down", [MaxPool(), AveragePool(), StridedConv()], ids=repr)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_translation_by_the_total_stride_translates_the_output(ndim: int, down: Down, up: Up) -> None:
    net = UNet(Grid(ndim, Conv(convs=1), down, up), 1, 2, [3, 4]).double().eval()
    axes, shift = list(range(2, 2 + ndim)), receptive_field(net).tile_stride[0]
    border = receptive_field(net).radius[0] + shift
    x = torch.randn(1, 1, *[2 * border + 8] * ndim, dtype=torch.double)
    inner = (..., *[slice(border, -border)] * ndim)
    output, expected = net(x.roll([shift] * ndim, axes)), net(x).roll([shift] * ndim, axes)
    torch.testing.assert_close(output[inner], expected[inner])
    assert expected[inner].std() > 1e-3


@pytest.mark.parametrize("ndim", [1, 2])
def test_exported_network_gives_the_same_output(ndim: int) -> None:
    net = UNet(Grid(ndim), 1, 2, [4, 6, 8]).eval()
    x = torch.randn(1, 1, *[21] * ndim)
    exported = torch.export.export(net, (x,)).module()
    torch.testing.assert_close(exported(x), net(x))


def test_impulse_comes_back_sharp_with_skips_and_smeared_without() -> None:
    """An autoencoder must pass a pixel through the bottleneck; a skip carries it across."""

    def spread(skip: type) -> float:
        torch.manual_seed(0)
        net = UNet(Grid(1, normalization="none"), 1, 1, [8, 8, 8, 4], skip=skip)
        optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
        for _ in range(300):
            x = (torch.rand(8, 1, 64) < 0.1).float()
            loss = torch.nn.functional.mse_loss(net(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        impulse = torch.zeros(1, 1, 64)
        impulse[..., 31] = 1
        answer = net(impulse).detach()[0, 0]
        return float((answer - impulse[0, 0]).square().sum())

    assert spread(Concat) < 0.01
    assert spread(NoSkip) > 0.3
