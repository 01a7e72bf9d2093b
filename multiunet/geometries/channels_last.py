"""Fields of one axis with channels last, which are computed as planes of height one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core.exporting import is_exporting

PLANE_MODES = {"linear": "bilinear", "nearest": "nearest"}
"""Ways to interpolate a plane, by those of a line."""


def lies_last(x: Tensor) -> bool:
    """Return whether the channels of ``(N, C, L)`` lie next to each other in memory, not its sites.

    Never while a network is exported: what runs the file has a layout of its own.
    """
    return not is_exporting() and x.ndim == 3 and x.stride(1) == 1 and not x.is_contiguous()


def put_last(x: Tensor) -> Tensor:
    """Return ``(N, C, L)`` with the same values, laid out with channels last."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last).squeeze(2)


def as_plane(x: Tensor) -> Tensor:
    """Return ``(N, C, L)`` as a plane of height one, ``(N, C, 1, L)``, a view."""
    if len(x) != 1 or not lies_last(x):
        return x.unsqueeze(2)
    # the stride of a batch of one says nothing, but torch tells the layout of a plane by it, too
    return x.squeeze(0).t()[None, None].permute(0, 3, 1, 2)


Sizes = tuple[int, ...]


class _Line(torch.autograd.Function):
    """A plane of height one as a line, ``(N, C, 1, L)`` to ``(N, C, L)``, and its gradient as a plane again.

    It is no view: what changes a view in place, as activations do, makes torch copy the gradient of all of it.
    """

    @staticmethod
    def forward(ctx: Any, plane: Tensor) -> Tensor:
        line: Tensor = torch.ops.aten._unsafe_view(plane, [*plane.shape[:2], plane.shape[3]])
        return line

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return as_plane(grads[0])


def in_plane(compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return what is computed of ``(N, C, L)`` as a plane of height one, ``(N, C, 1, L)``."""
    if is_exporting():
        return compute(x.unsqueeze(2)).squeeze(2)
    line: Tensor = _Line.apply(compute(as_plane(x)))  # type: ignore[no-untyped-call]
    return line


def interpolate(x: Tensor, factor: tuple[float, ...], mode: str) -> Tensor:
    """Return a field that is resized by a factor an axis, laid out as it was."""
    if not lies_last(x):
        return functional.interpolate(x, scale_factor=factor, mode=mode)
    plane, mode = (1.0, *factor), PLANE_MODES[mode]
    return in_plane(lambda y: functional.interpolate(y, scale_factor=plane, mode=mode), x)


class Conv1d(nn.Conv1d):
    """Convolution of one axis, or of a plane of height one.

    The latter where its input or its weights lie channels last. torch has faster ways for planes, above all in bf16: of
    a line it copies each field into another layout and back. The weights are those of ``nn.Conv1d``, and the result is
    equal to rounding.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = input.ndim == 3 and self.padding_mode == "zeros" and not isinstance(self.padding, str)
        if not plain or not (lies_last(input) or lies_last(weight)):
            line: Tensor = super()._conv_forward(input, weight, bias)
            return line
        flat, dilation = weight.unsqueeze(2), (1, *_by_axis(self.dilation))
        _, stride, padding = _in_plane_sizes(self.kernel_size, self.stride, self.padding)
        return in_plane(lambda x: functional.conv2d(x, flat, bias, stride, padding, dilation, self.groups), input)


class AvgPool1d(nn.AvgPool1d):
    """Mean over windows of a line, laid out as it was; exported as that of a plane, for any size."""

    def forward(self, input: Tensor) -> Tensor:
        if not lies_last(input) and not is_exporting():
            return super().forward(input)
        sizes = _in_plane_sizes(self.kernel_size, self.stride, self.padding)
        pool = partial(functional.avg_pool2d, ceil_mode=self.ceil_mode, count_include_pad=self.count_include_pad)
        return in_plane(lambda x: pool(x, *sizes), input)


class MaxPool1d(nn.MaxPool1d):
    """Largest value of windows of a line, laid out as it was; exported as ``AvgPool1d`` is."""

    def forward(self, input: Tensor) -> Tensor:
        if not lies_last(input) and not is_exporting():
            line: Tensor = super().forward(input)
            return line
        sizes = _in_plane_sizes(self.kernel_size, self.stride, self.padding)
        dilation: Sizes = (1, *_by_axis(self.dilation))
        return in_plane(lambda x: functional.max_pool2d(x, *sizes, dilation, self.ceil_mode), input)


def _in_plane_sizes(kernel: Any, stride: Any, padding: Any) -> tuple[Sizes, Sizes, Sizes]:
    """Return kernel, stride and padding of a window of a line as those of a plane of height one."""
    return (1, *_by_axis(kernel)), (1, *_by_axis(stride)), (0, *_by_axis(padding))


def _by_axis(size: Any) -> Sizes:
    return size if isinstance(size, tuple) else (size,)
