from __future__ import annotations

import pytest
import torch
from torch import nn

from multiunet import Grid, UNet
from multiunet.geometries import Conv
from multiunet.geometries.grid.fuse import fuse_conv_bn


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
    found = fuse_conv_bn(net.eval())
    torch.testing.assert_close(found(x), net(x), rtol=1e-10, atol=1e-10)
    left = [module for module in found.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert bool(left) == (separable == "all")  # behind a pair of convolutions a norm stays
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items()), "the original is kept"


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        fuse_conv_bn(UNet(Grid(1), 1, 2, [4, 8]).train())
