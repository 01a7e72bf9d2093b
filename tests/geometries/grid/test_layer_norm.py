"""Tests of the norm over the channels of each site, which is local."""

import pytest
import torch
from torch import nn

from multiunet import Grid, UNet, receptive_field
from multiunet.testing import check_geometry


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_it_is_torchs_at_each_site(ndim: int) -> None:
    norm, x = Grid(ndim, normalization="layer").make_norm(6), torch.randn(2, 6, *[3] * ndim)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(6))
    expected = nn.functional.layer_norm(x.movedim(1, -1), (6,), norm.weight, norm.bias).movedim(-1, 1)
    assert torch.allclose(norm(x), expected, atol=1e-6)


def test_tiles_of_it_are_exact() -> None:
    assert receptive_field(UNet(Grid(2, normalization="layer"), 1, 1, [8, 16])).exact


def test_it_obeys_the_laws() -> None:
    check_geometry(Grid(1, normalization="layer"))
