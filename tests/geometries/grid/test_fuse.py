from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from multiunet import Add, AttentionGate, Grid, UNet, receptive_field
from multiunet.geometries import Conv, Resize, Transposed
from multiunet.geometries.grid.fuse import RepeatedConv, fuse_conv_bn, fuse_layers, sum_repeated
from multiunet.geometries.grid.up import ResizeUp
from multiunet.models.image_unet import image_unet
from multiunet.testing.samples import check_shared_trail
from multiunet.uncertainty import mc_dropout_sample


@pytest.mark.parametrize("separable", ["none", "all"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_folded_network_computes_the_same_without_norms(ndim: int, separable: str) -> None:
    net = UNet(Grid(ndim, block=Conv(residual=True, separable=separable, dropout=0.2)), 1, 2, [4, 8]).double()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randn(2, 1, *(9,) * ndim, dtype=torch.double)
    found = fuse_layers(net.eval())
    torch.testing.assert_close(found(x), net(x), rtol=1e-10, atol=1e-10)
    left = [module for module in found.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert bool(left) == (separable == "all")  # behind a pair of convolutions a norm stays
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items()), "the original is kept"


@pytest.mark.parametrize(
    ("grid", "strides", "space"),
    [
        (Grid(1), None, (32,)),
        (Grid(1, Conv(kernel=5)), [3, 2], (30,)),
        (Grid(2), None, (16, 24)),
        (Grid(2, Conv(kernel=(1, 5)), normalization="group"), [(1, 2), (3, 2)], (12, 16)),
        (Grid(2, up=Resize(activated=True), normalization="none"), None, (16, 12)),
        (Grid(3), [(1, 2, 2), (2, 2, 2)], (8, 12, 8)),
        (Grid(2), None, (15, 13)),  # which no coarse site's copies fill
    ],
    ids=repr,
)
def test_repeating_and_convolving_is_one_transposed_convolution(grid: Grid, strides: list, space: tuple) -> None:
    torch.manual_seed(0)
    net = UNet(grid, 1, 2, [4, 6, 8], strides=strides, decoder=replace(grid, block=replace(grid.block, dropout=0.2)))
    net = train_a_little(net.double(), torch.randn(2, 1, *space).double())
    found, x = fuse_layers(net), torch.randn(2, 1, *space, dtype=torch.double)
    assert [type(up) for up in found.ups] == [RepeatedConv] * 2
    torch.testing.assert_close(found(x), net(x), rtol=1e-10, atol=1e-10)
    assert receptive_field(found) == receptive_field(net)
    for sample in range(2):
        with mc_dropout_sample(net, 0, sample), mc_dropout_sample(found, 0, sample):
            torch.testing.assert_close(found(x), net(x), rtol=1e-10, atol=1e-10)
    check_shared_trail(found, grid, x)


def train_a_little(net: UNet, x: torch.Tensor) -> UNet:
    net.train()(x)
    return net.eval()


def test_summed_weights_are_as_precise_in_bf16() -> None:
    errors = []
    for seed in range(3):
        torch.manual_seed(seed)
        net, x = train_a_little(image_unet(2, 1, 3, [8, 8, 16]), torch.randn(4, 1, 32, 32)), torch.randn(2, 1, 64, 64)
        with torch.no_grad():
            exact = net(x)
            with torch.autocast("cpu", torch.bfloat16):
                errors.append(
                    [(one(x) - exact).square().mean().sqrt() for one in (fuse_conv_bn(net), fuse_layers(net))]
                )
    plain, fused = torch.tensor(errors).mean(dim=0)
    assert fused <= 1.1 * plain


def test_weights_that_meet_one_site_are_summed() -> None:
    """By hand: a fine site at the left of its coarse one sees a, then b + c; one at the right a + b, then c."""
    a, b, c = 1.0, 10.0, 100.0
    summed = sum_repeated(torch.tensor([[[a, b, c]]]), (2,))
    assert summed.tolist() == [[[c, b + c, a + b, a]]]


@pytest.mark.parametrize(
    "options",
    [{"skip": Add}, {"skip": AttentionGate}, {"fuse": True}, {"path_norm": "before"}],
    ids=repr,
)
def test_other_merges_keep_their_way_up(options: dict) -> None:
    found = fuse_layers(UNet(Grid(1), 1, 2, [4, 6], **options).eval())
    assert type(found.ups[0]) is ResizeUp


@pytest.mark.parametrize(
    "grid",
    [Grid(1, up=Resize("linear")), Grid(1, up=Transposed()), Grid(1, Conv(residual=True)), Grid(1, padding="valid")],
    ids=repr,
)
def test_so_do_other_ways_and_blocks(grid: Grid) -> None:
    found = fuse_layers(UNet(grid, 1, 2, [4, 6]).eval())
    assert type(found.ups[0]) is not RepeatedConv


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        fuse_layers(UNet(Grid(1), 1, 2, [4, 8]).train())


def test_layers_that_do_more_than_torchs_stay() -> None:
    """As those of encoders from elsewhere: norms that activate, and convolutions that standardise their weights."""

    class ActivatedNorm(nn.BatchNorm2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).relu()

    class CentredConv(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.weight - self.weight.mean(), self.bias)

    x = torch.randn(1, 3, 8, 8)
    for layers in ([nn.Conv2d(3, 4, 3), ActivatedNorm(4)], [CentredConv(3, 4, 3), nn.BatchNorm2d(4)]):
        net = nn.Sequential(*layers)
        net(torch.randn(4, 3, 8, 8))
        net.eval()
        assert torch.allclose(fuse_conv_bn(net)(x), net(x), atol=1e-6)
