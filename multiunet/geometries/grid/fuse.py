"""Fusion of batch norms into the convolutions before them, for prediction."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_conv_bn(net: nn.Module) -> nn.Module:
    """Return a copy of a network whose convolutions do the work of the batch norms behind them.

    A norm whose statistics stand still is an affine map by channel, and so is the convolution: the two are one
    convolution, equal to rounding (Jacob et al. 2018, eq. 14). It saves a pass over the field for each of them.

    Raises:
        ValueError: for a network in training mode, whose norms' statistics move.
    """
    if net.training:
        raise ValueError("only a network in evaluation mode has norms that stand still; call net.eval() first")
    net = copy.deepcopy(net)
    for layers in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for place in range(len(layers) - 1):
            conv, norm = layers[place], layers[place + 1]
            if isinstance(conv, nn.Conv1d | nn.Conv2d | nn.Conv3d) and isinstance(norm, _BatchNorm):
                layers[place], layers[place + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return net
