from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from multiunet import Grid, UNet, receptive_field
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.sees_input import AddInput, SeesInput, WeighInput, show_pixels
from multiunet.prediction.field import predict_field
from multiunet.tasks import Regression


def make(out: int = 4) -> SeesInput:
    torch.manual_seed(0)
    net = UNet(Grid(2), 2, out, [4, 8], decoder=Grid(2, block=Conv(dropout=0.3)))
    return SeesInput(net, AddInput([2.0, 0.5], [1.0, -3.0], 2)).eval()


def test_the_input_is_added_to_the_means_alone() -> None:
    net, x = make(), torch.randn(3, 2, 13, 10)
    learnt, output = net.net(x), net(x)
    expected = torch.stack([x[:, 0] * 2 + 1, x[:, 1] * 0.5 - 3], dim=1)
    torch.testing.assert_close(output[:, :2] - learnt[:, :2], expected)
    torch.testing.assert_close(output[:, 2:], learnt[:, 2:])
    torch.testing.assert_close(net.decode(net.encode(x)), output)


def test_samples_and_fused_layers_are_those_of_the_network() -> None:
    net, x = make(), torch.randn(1, 2, 16, 16)
    task = Regression(["a", "b"])
    plain = predict_field(net.net, task, Grid(2), x, samples=3)
    found = predict_field(net, task, Grid(2), x, samples=3)
    torch.testing.assert_close(found.epistemic, plain.epistemic, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fuse_layers(net)(x), net(x), atol=1e-5, rtol=1e-4)
    assert receptive_field(net) == receptive_field(net.net)
    assert not any("factor" in name for name in net.state_dict())  # of the data, not learnt


def test_half_precision_keeps_what_is_learnt_of_large_numbers() -> None:
    net, x = make(), 1000 + torch.randn(1, 2, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(x)
    assert output.dtype == torch.float32
    assert (output[:, 0] - (2 * x[:, 0] + 1)).std() < (2 * x[:, 0]).std() * 500


def test_outputs_need_room_for_the_input() -> None:
    with pytest.raises(ValueError, match="no room for 2 input channels"):
        make(1)


def test_a_pixel_counts_as_much_as_its_noise_leaves() -> None:
    """Two normal distributions of one pixel, joined as NumPy's precision-weighted mean has them."""
    prior, noise, mean, pixel = 3.0, 0.5, 10.0, 14.0
    output = torch.tensor([mean, math.log(prior + noise)]).reshape(1, 2, 1, 1)
    layer, five = WeighInput([2.0], [4.0], [noise], 2), torch.full((1, 1, 1, 1), 5.0)
    assert layer(output, five) is output  # hidden pixels say nothing
    assert show_pixels(layer, True)
    joined = layer(output, five).flatten()  # 5 * 2 + 4 = 14
    expected = np.average([mean, pixel], weights=[1 / prior, 1 / noise])
    assert float(joined[0]) == pytest.approx(expected)
    assert float(joined[1].exp()) == pytest.approx(1 / (1 / prior + 1 / noise))
    certain = torch.tensor([mean, math.log(noise / 2)]).reshape(1, 2, 1, 1)  # less than the noise: neighbours know it
    assert float(layer(certain, five)[0, 0]) == pytest.approx(mean, abs=0.02)
