"""Fusion of layers of a network on a grid into fewer that do the same, for prediction."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from multiunet.core import Add, Concat, Level, Merge, UNet, reads_sites_alone
from multiunet.core.exporting import is_multiple
from multiunet.core.shared import is_hooked
from multiunet.geometries.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from multiunet.geometries.channels_last import Conv1d
from multiunet.geometries.grid.block import ConvBlock
from multiunet.geometries.grid.chain import Chain, splits
from multiunet.geometries.grid.up import ResizeUp, check_levels

CONVOLVE: dict[int, Callable[..., Tensor]] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv1d)
NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNorm1d, BatchNorm2d, BatchNorm3d)
"""Layers that one convolution can stand for."""


def fuse_layers(net: nn.Module) -> nn.Module:
    """Return a copy of a network, equal to rounding, that predicts with fewer operations and less memory.

    Batch norms go into the convolutions before them, see ``fuse_conv_bn``. In decoders nearest resizing and the
    convolution behind it become one transposed convolution on the coarse sites, see ``RepeatedConv``.

    Raises:
        ValueError: for a network in training mode, whose norms' statistics move.
    """
    net = fuse_conv_bn(net)
    for unet in [module for module in net.modules() if isinstance(module, UNet)]:
        for place in range(len(unet.ups)):
            _fuse_up(unet, place)
    return net.eval()


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
            if _computes_as(conv, CONV) and _computes_as(norm, NORM):
                fused = fuse_conv_bn_eval(cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm))
                layers[place], layers[place + 1] = fused, nn.Identity()
    return net


def _computes_as(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Return whether a module does what one of these kinds does, and nothing else: an encoder's own may do more."""
    return any(isinstance(module, kind) and type(module).forward is kind.forward for kind in kinds)


class RepeatedConv(nn.Module):
    """Way up, ``(coarse field, skip field) -> field``, that repeats sites and convolves them.

    Each coarse site is repeated as often as the stride says, so a convolution multiplies equal sites by several of its
    weights: by their sum, and of a kernel of 3 and a stride of 2 only two sums an axis meet a fine site. These are the
    weights of a transposed convolution. The fine field before the convolution is never made.

    Args:
        up: the way up.
        conv: the convolution behind it.

    Attributes:
        stride, reach: those of the way up.
    """

    weight: Tensor

    def __init__(self, up: ResizeUp, conv: nn.Module) -> None:
        super().__init__()
        self.up, self.conv, self.stride, self.reach = up, conv, up.stride, up.reach
        self.register_buffer("weight", sum_repeated(cast(Tensor, conv.weight).detach(), up.stride))

    @reads_sites_alone
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up.conv(x)
        if not all(is_multiple(size, step) for size, step in zip(skip.shape[2:], self.stride)):
            y: Tensor = self.conv(self.up.resize(x, skip))
            return y
        check_levels(x, skip, self.stride)
        bias, padding = (getattr(self.conv, name) for name in ("bias", "padding"))
        return TRANSPOSE[len(self.stride)](x, self.weight, bias, self.stride, padding)


def sum_repeated(weight: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Return weights of the transposed convolution that repeats sites by ``stride`` and convolves.

    ``(out, in, *kernel)`` become ``(in, out, *(kernel + stride - 1))``, the sums of all weights that meet one site.
    """
    out, inside, *kernel = weight.shape
    axes = tuple(range(2, weight.ndim))
    ones = weight.new_ones(1, 1, *stride)
    padding = tuple(step - 1 for step in stride)
    sums = CONVOLVE[len(stride)](weight.flip(axes).reshape(out * inside, 1, *kernel), ones, padding=padding)
    return sums.reshape(out, inside, *sums.shape[2:]).transpose(0, 1).contiguous()


def _fuse_up(net: UNet[Any], place: int) -> None:
    """Let a decoder level's way up do its first convolution, where both are plain; the skip's part is added."""
    up, merge, level = (cast(Any, parts[place]) for parts in (net.ups, net.merges, net.decoder))
    conv = _first_conv(level)
    plain = type(up) is ResizeUp and up.repeats and not is_hooked(up) and type(merge) is Merge
    if conv is None or not plain or not merge.reads_skip_once or type(merge.join) is not Concat:
        return
    skip_channels = net.channels[len(net.ups) - 1 - place]
    width = conv.in_channels - skip_channels
    join: Add[Tensor] = Add(merge.geometry, conv.out_channels, skip_channels)
    join.project = _part_of(conv, slice(width, None), bias=False)
    merge.join, merge.channels = join, join.channels
    net.ups[place] = RepeatedConv(up, _part_of(conv, slice(width), bias=True))
    level.blocks[0].layers[0] = nn.Identity()


def _first_conv(level: Any) -> Any | None:
    """Return the convolution that alone reads what enters the level; None where there is another reader."""
    if type(level) is not Level or is_hooked(level) or type(level.blocks[0]) is not ConvBlock:
        return None
    block = cast(Any, level.blocks[0])
    conv = block.layers[0]
    alone = block.shortcut is None and not is_hooked(block) and type(block.layers) is Chain and splits(conv)
    if not alone or is_hooked(block.layers):
        return None
    plain = conv.padding_mode == "zeros" and conv.padding == tuple(k // 2 for k in conv.kernel_size)
    return conv if plain and {*conv.stride, *conv.dilation} == {1} else None


def _part_of(conv: Any, channels: slice, bias: bool) -> nn.Module:
    part = copy.deepcopy(conv)
    part.weight = nn.Parameter(conv.weight.detach()[:, channels].clone(), requires_grad=False)
    part.in_channels = part.weight.shape[1]
    if not bias:
        part.bias = None
    return cast(nn.Module, part)
