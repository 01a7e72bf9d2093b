"""Ways down on a grid: pooling, and convolution with a stride."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core.exporting import is_exporting, is_multiple
from multiunet.geometries.grid.layers import AVERAGE_POOL, MAX_POOL, Layers, Sizes
from multiunet.geometries.grid.parts import Down


@dataclass(frozen=True)
class MaxPool(Down):
    """Largest feature of each window of one stride; a last, partial window counts."""

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        pool = MAX_POOL[layers.ndim](stride, ceil_mode=layers.padding == "same")
        return Pooled(_widen(pool, layers, in_channels, out_channels), stride)


@dataclass(frozen=True)
class AveragePool(Down):
    """Mean feature of each window of one stride; a last, partial window counts, by the sites that it has."""

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        pool = AVERAGE_POOL[layers.ndim](stride, ceil_mode=layers.padding == "same", count_include_pad=False)
        return Pooled(_widen(pool, layers, in_channels, out_channels), stride)


@dataclass(frozen=True)
class StridedConv(Down):
    """Convolution with a stride.

    Args:
        kernel: odd, or equal to the stride, by axis. None: 3, or the next odd number that spans the stride.
        activated: put a norm and an activation behind it.
        centred: the kernel lies about the first site of its window; False: it begins there, as in the code of
            Ho et al. 2020.
    """

    kernel: Sizes | None = None
    activated: bool = False
    centred: bool = True

    def check(self, layers: Layers) -> None:
        if layers.padding == "valid":
            raise ValueError("padding='valid' goes with pooling, and with resizing or transposed convolution")

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = self._kernel(layers, stride)
        # odd, with half its width as padding: ceil(n / stride) sites, exactly n / stride where that is whole
        padding = tuple(0 if k == s or not self.centred else k // 2 for k, s in zip(kernel, stride))
        bias = not (self.activated and layers.normalizes)
        layer = layers.make_conv(in_channels, out_channels, kernel, bias, stride=stride, padding=padding)
        return Strided(layers.activate(layer, out_channels) if self.activated else layer, stride, kernel, padding)

    def _kernel(self, layers: Layers, stride: tuple[int, ...]) -> tuple[int, ...]:
        if self.kernel is None:
            return tuple(max(3, s + 1 - s % 2) for s in stride)
        kernel = layers.sizes("kernel of a StridedConv", self.kernel)
        if any(k % 2 == 0 and k != s for k, s in zip(kernel, stride)):
            raise ValueError(
                f"kernel {kernel} of a StridedConv must be odd, or equal to its stride {stride}, on every axis"
            )
        return kernel


class Pooled(nn.Module):
    """Module of ``MaxPool`` and ``AveragePool``.

    n sites become ceil(n / stride), or floor where blocks lose sites.

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
        cheap_again: recomputing it is little work: a maximum keeps its places, in 8 bytes each.
    """

    cheap_again = True

    def __init__(self, layer: nn.Module, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.layer, self.stride = layer, stride
        self.reach = tuple(s - 1 for s in stride)

    def forward(self, x: Tensor) -> Tensor:
        coarse: Tensor = self.layer(x)
        return coarse


class Strided(nn.Module):
    """Module of ``StridedConv``; n sites become ceil(n / stride).

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
    """

    def __init__(
        self, layer: nn.Module, stride: tuple[int, ...], kernel: tuple[int, ...], padding: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.layer, self.stride, self.kernel, self.padding = layer, stride, kernel, padding
        self.reach = tuple(max(s - 1 + beyond, k - 1 - beyond) for s, k, beyond in zip(stride, kernel, padding))

    def forward(self, x: Tensor) -> Tensor:
        # without padding of its own a kernel may look beyond the end
        missing = [
            self._missing(size, s, k) if beyond == 0 else 0
            for size, s, k, beyond in zip(x.shape[2:], self.stride, self.kernel, self.padding)
        ]
        if any(missing):
            x = functional.pad(x, [end for rest in reversed(missing) for end in (0, rest)])
        coarse: Tensor = self.layer(x)
        return coarse

    @staticmethod
    def _missing(size: int, stride: int, kernel: int) -> int:
        if is_exporting():  # enough for any size; of what no kernel reads nothing is made
            return 0 if kernel == stride and is_multiple(size, stride) else kernel - 1
        return max(0, (-(-size // stride) - 1) * stride + kernel - size)


def _widen(pool: nn.Module, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
    same = in_channels == out_channels
    return pool if same else nn.Sequential(pool, layers.make_pointwise(in_channels, out_channels))
