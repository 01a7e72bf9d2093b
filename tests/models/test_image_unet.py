from __future__ import annotations

import pytest
import torch

from multiunet.models.image_unet import choose_strides, image_unet
from multiunet.uncertainty import dropouts


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_output_sits_on_the_input_sites(ndim: int) -> None:
    net = image_unet(ndim, 2, 3, [4, 8, 8]).eval()
    sizes = (13, 10, 7)[:ndim]
    assert net(torch.zeros(1, 2, *sizes)).shape == (1, 3, *sizes)


def test_dropout_is_behind_the_encoder_only() -> None:
    net = image_unet(2, 1, 2, [4, 8, 8], dropout=0.3)
    behind = {id(module) for part in (net.bottleneck, net.decoder) for module in part.modules()}
    assert len(dropouts(net)) == 3
    assert all(id(layer) in behind for layer in dropouts(net))


def test_thick_sections_are_coarsened_later() -> None:
    assert choose_strides((16, 128, 128), (5.0, 1.0, 1.0), 3) == [(1, 2, 2), (1, 2, 2), (2, 2, 2)]
    assert choose_strides((64, 64, 64), (1.0, 1.0, 1.0), 3) == [(2, 2, 2)] * 3


def test_short_axes_are_not_coarsened_away() -> None:
    assert choose_strides((10, 64, 64), (1.0, 1.0, 1.0), 2) == [(1, 2, 2), (1, 2, 2)]
    assert choose_strides((8, 8), (1.0, 1.0), 2) == [(2, 2), (2, 2)]  # nothing is long: any size works
