from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from multiunet import Concat, Grid, UNet
from multiunet.core import LazyConcat
from multiunet.geometries import AveragePool, Conv, MaxPool, PixelShuffle, Resize, StridedConv, Transposed, Up
from multiunet.geometries.grid.chain import call_on_parts
from multiunet.geometries.grid.layers import GroupNorm
from multiunet.models import unet2015


def test_instance_norm_is_torchs() -> None:
    x = torch.randn(3, 6, 7, 5)
    torch.testing.assert_close(Grid(2, normalization="instance").make_norm(6)(x), nn.InstanceNorm2d(6)(x))


def test_group_norm_takes_a_single_site() -> None:
    assert GroupNorm(4, 4)(torch.randn(1, 4, 1, 1)).shape == (1, 4, 1, 1)


@pytest.mark.parametrize(("size", "expected"), [(8, 4), (9, 5), (1, 1)])
@pytest.mark.parametrize("down", [MaxPool(), AveragePool(), StridedConv()], ids=repr)
def test_down_halves_even_sizes_exactly_and_keeps_the_rest_of_odd_ones(down, size, expected) -> None:
    assert Grid(1, down=down).make_down(2, 2)(torch.zeros(1, 2, size)).shape == (1, 2, expected)


def test_average_of_a_partial_window_is_of_the_sites_it_has() -> None:
    x = torch.tensor([[[1.0, 3.0, 5.0]]])
    torch.testing.assert_close(Grid(1, down=AveragePool()).make_down(1, 1)(x), torch.tensor([[[2.0, 5.0]]]))


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("part", [Resize(), Resize("linear"), Transposed(), PixelShuffle()], ids=repr)
def test_up_of_a_constant_is_constant_inside(part: Up, stride: int) -> None:
    """No checkerboard: neighbours get equally many taps (peers with kernel 3, stride 2 answer with a 4x spread)."""
    up = Grid(1, up=part).make_up(3, 2, stride)
    for parameter in up.parameters():
        nn.init.constant_(parameter, 0.5)
    y = up(torch.ones(1, 3, 12), torch.zeros(1, 2, 12 * stride))[..., 4 * stride : -4 * stride]
    assert float(y.detach().max() / y.detach().min()) == pytest.approx(1.0, abs=1e-6)


def test_checkerboard_kernel_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="checkerboard"):
        Grid(2, up=Transposed(kernel=3)).make_up(4, 2)
    up = Grid(2, up=Transposed(kernel=4)).make_up(4, 2)
    assert up(torch.zeros(1, 4, 3, 3), torch.zeros(1, 2, 6, 5)).shape == (1, 2, 6, 5)


def test_pixel_shuffle_is_torchs() -> None:
    up = Grid(2, up=PixelShuffle()).make_up(3, 5)
    x = torch.randn(2, 3, 6, 4)
    torch.testing.assert_close(up(x, torch.zeros(2, 5, 12, 8)), functional.pixel_shuffle(up.conv(x), 2))


def test_pointwise_before_resizing_equals_resizing_before_pointwise() -> None:
    for part, mode in ((Resize(), "nearest"), (Resize("linear"), "bilinear")):
        up = Grid(2, up=part).make_up(3, 2)
        x = torch.randn(1, 3, 4, 5)
        expected = up.conv(functional.interpolate(x, scale_factor=2.0, mode=mode))
        torch.testing.assert_close(up(x, torch.zeros(1, 2, 8, 10)), expected)


def test_per_axis_stride_leaves_the_other_axis() -> None:
    grid = Grid(3)
    assert grid.make_down(2, 2, (1, 2, 2))(torch.zeros(1, 2, 3, 8, 9)).shape == (1, 2, 3, 4, 5)
    with pytest.raises(ValueError, match="one an axis"):
        grid.make_down(2, 2, (2, 2))


def test_valid_network_is_the_2015_geometry() -> None:
    """572 -> 388, 31.03 M parameters (Ronneberger et al. 2015, fig. 1)."""
    grid = Grid(2, up=Transposed(), padding="valid", normalization="none")
    net = UNet(grid, 1, 2, [64, 128, 256, 512, 1024])
    assert sum(p.numel() for p in net.parameters()) == 31_030_658
    with torch.device("meta"):
        meta = UNet(grid, 1, 2, [64, 128, 256, 512, 1024])
        assert meta(torch.empty(1, 1, 572, 572)).shape == (1, 2, 388, 388)


def test_plain_unet_equals_a_hand_written_one() -> None:
    grid = Grid(2, block=Conv(convs=1), up=Transposed(), normalization="none")
    net = UNet(grid, 1, 2, [3, 4], skip=Concat).eval()
    x = torch.randn(2, 1, 8, 8)
    w = dict(net.named_parameters())
    conv = lambda y, name: functional.relu(  # noqa: E731
        functional.conv2d(y, w[f"{name}.blocks.0.layers.0.weight"], w[f"{name}.blocks.0.layers.0.bias"], padding=1)
    )
    skip = conv(x, "encoder.0")
    deep = conv(functional.max_pool2d(skip, 2), "bottleneck")
    up = functional.conv_transpose2d(deep, w["ups.0.layer.weight"], w["ups.0.layer.bias"], stride=2)
    fine = conv(torch.cat([up, skip], 1), "decoder.0")
    torch.testing.assert_close(net(x), functional.conv2d(fine, w["head.weight"], w["head.bias"]))


def test_sample_picks_labels_and_never_mixes_them() -> None:
    labels = torch.tensor([[0, 9, 1, 9, 2]])
    coarse = torch.zeros(1, 1, 3)
    assert Grid(1).sample(labels, torch.zeros(1, 1, 5), coarse).tolist() == [[9, 9, 2]]
    assert Grid(1).sample(torch.arange(9)[None], torch.zeros(1, 1, 9), coarse, 4).tolist() == [[2, 6, 8]]
    values = torch.rand(2, 3, 9, 7)
    assert Grid(2).sample(values, values, torch.zeros(2, 3, 5, 4)).shape == (2, 3, 5, 4)


def test_levels_that_lose_sites_are_not_supervised_by_labels_of_others() -> None:
    net = UNet(Grid(1, padding="valid"), 1, 2, [4, 4, 4], deep_supervision=1)
    outputs = net.outputs(torch.zeros(1, 1, 92))  # 52 sites, and 28 of twice the distance, which reach beyond them
    with pytest.raises(ValueError, match="deep supervision needs padding='same'"):
        net.at_outputs(torch.zeros(1, outputs[0].shape[2]), outputs)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ndim": 4}, "a grid has 1, 2 or 3 axes, not 4"),
        ({"block": Conv(kernel=4)}, r"kernel \(4, 4\) must be odd on every axis"),
        ({"block": Conv(kernel=(3, 3, 3))}, "one an axis"),
        ({"up": Resize(kernel=2)}, r"kernel of Resize \(2, 2\) must be odd"),
        ({"normalization": "weight"}, "normalization 'weight' is none of none, batch, instance, group, layer"),
        ({"activation": "x"}, "activation 'x' is none of relu, "),
        ({"padding": "zeros"}, "padding 'zeros' is none of same, valid"),
        ({"padding": "valid", "down": StridedConv()}, "padding='valid' goes with pooling"),
        ({"padding": "valid", "up": PixelShuffle()}, "padding='valid' goes with pooling"),
    ],
)
def test_wrong_settings_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Grid(**{"ndim": 2, **options})


@pytest.mark.parametrize(
    ("part", "options", "reason"),
    [
        (Conv, {"convs": 0}, "convs 0 must be at least 1"),
        (Conv, {"condition_channels": -1}, "condition_channels -1 must be at least 0"),
        (Conv, {"growth": "x"}, "growth 'x' is none of first, last"),
        (Conv, {"separable": "x"}, "separable 'x' is none of none, inner, all"),
        (Resize, {"mode": "cubic"}, "mode 'cubic' is none of nearest, linear"),
    ],
)
def test_wrong_settings_of_parts_are_refused(part: type, options: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        part(**options)


@pytest.mark.parametrize("name", ["block", "down", "up"])
def test_the_name_of_a_part_is_not_the_part(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} 'nearest' is not a .*; give a part, such as"):
        Grid(2, **{name: "nearest"})


def test_a_kernel_that_spans_its_stride_halves_any_size() -> None:
    """A last, partial window is filled with zeros: it gives what a longer field ending in zeros gives."""
    down = Grid(1, down=StridedConv(kernel=2)).make_down(3, 3)
    x = torch.randn(1, 3, 7)
    assert down(x).shape == (1, 3, 4)
    torch.testing.assert_close(down(x), down(torch.cat([x, torch.zeros(1, 3, 1)], dim=2)))
    assert down.reach == (1,)


def test_a_kernel_with_no_middle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kernel \(4,\) of a StridedConv must be odd, or equal to its stride"):
        Grid(1, down=StridedConv(kernel=4)).make_down(3, 3)


def test_growth_in_the_last_convolution() -> None:
    block = Grid(2, block=Conv(growth="last")).make_block(3, 8)
    assert [m.out_channels for m in block.modules() if isinstance(m, torch.nn.Conv2d)] == [4, 8]
    block = Grid(2, block=Conv(growth="last")).make_block(8, 6)  # narrows: nothing to save up for
    assert [m.out_channels for m in block.modules() if isinstance(m, torch.nn.Conv2d)] == [6, 6]


def test_pooling_to_other_channels_maps_what_it_pooled() -> None:
    down = Grid(1).make_down(2, 5)
    x = torch.randn(1, 2, 6)
    torch.testing.assert_close(down(x), down.layer[1](torch.nn.functional.max_pool1d(x, 2)))


@pytest.mark.parametrize(("samples", "convolutions"), [(1, 1), (2, 2)])
def test_a_single_small_volume_is_copied_together(samples: int, convolutions: int, monkeypatch) -> None:
    """Torch convolves it in a slow way, which parts of it would fall into where the whole does not."""
    layer, counted = nn.Conv3d(48, 4, 3, padding=1), []
    plain = layer._conv_forward
    monkeypatch.setattr(layer, "_conv_forward", lambda *given: counted.append(1) or plain(*given))
    parts = [torch.randn(samples, 24, 24, 24, 4) for _ in range(2)]
    found = call_on_parts(layer, LazyConcat(Grid(3), tuple(parts)))
    torch.testing.assert_close(found, plain(torch.cat(parts, 1), layer.weight, layer.bias))
    assert len(counted) == convolutions


@pytest.mark.parametrize(("down", "up"), [(2, 4), (4, 2)])
@pytest.mark.parametrize("part", [Resize(), Transposed(), PixelShuffle()], ids=repr)
def test_ways_up_and_down_of_other_strides_are_refused(part: Up, down: int, up: int) -> None:
    net = UNet(Grid(1, stride=down), 1, 1, [2, 2], decoder=Grid(1, up=part, stride=up))
    with pytest.raises(ValueError, match="give encoder and decoder the same"):
        net(torch.zeros(1, 1, 16))


def test_sizes_are_whole_numbers_of_any_type() -> None:
    assert Grid(2).make_down(4, 4, np.int64(2)).stride == Grid(2).make_down(4, 4, [np.int32(2), 2]).stride == (2, 2)
    assert Grid(2, block=Conv(kernel=np.int64(5))).make_block(1, 1).layers[0].kernel_size == (5, 5)
    for wrong in (2.0, (2, 2.0), "2", (2,), 0):
        with pytest.raises(ValueError, match=r"stride .* needs 2 positive whole numbers"):
            Grid(2).make_down(4, 4, wrong)


def test_an_input_that_is_too_small_without_padding_is_refused() -> None:
    net = unet2015(1, 1, 1, [2] * 5)
    assert net(torch.zeros(1, 1, 188)).shape == (1, 1, 4)
    for size in (100, 172, 187):
        with pytest.raises(ValueError, match="the network's input is too small"):
            net(torch.zeros(1, 1, size))


def test_a_single_site_is_normalised_by_running_statistics_in_training() -> None:
    norm = Grid(2).make_norm(3).train()
    norm(torch.randn(4, 3, 5, 5) + 2)
    expected = torch.randn(1, 3, 1, 1)
    torch.testing.assert_close(norm(expected), norm.eval()(expected))
