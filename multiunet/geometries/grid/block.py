"""Convolution block of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, get_args

from torch import Tensor, nn

from multiunet.core import Condition, Dropout, LazyConcat, Modulation, reads_lazy_concat
from multiunet.core.lazy import call_block, compute_once
from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.grid.chain import Chain, Modulated, call_on_parts
from multiunet.geometries.grid.crop import crop_centre
from multiunet.geometries.grid.layers import Layers, Sizes
from multiunet.geometries.grid.parts import Block, example_embedding

Growth = Literal["first", "last"]
Separable = Literal["none", "inner", "all"]


@dataclass(frozen=True)
class Conv(Block):
    """Convolutions, each with its norm and activation, and dropout at the end.

    Args:
        kernel: odd; one number, or one an axis.
        convs: number of convolutions.
        residual: add the block's input to its output (He et al. 2016), through a 1x1 map where channels differ.
        normalized_shortcut: put a norm behind that map.
        growth: where the channels of a block that widens grow: in its first convolution, or half before its last and
            the rest in it, so that no narrow layer precedes a coarsening (Çiçek et al. 2016; Szegedy et al. 2016).
        separable: convolutions that are depthwise and then pointwise (Chollet 2017, "Xception"), at about a
            ``prod(kernel)``-th of the cost: all but the last of a block (``inner``), or all.
        dropout: probability that a channel is dropped, at all sites (Tompson et al. 2015).
        condition_channels: channels of ``Condition.embedding``, which then scales and shifts the features after each
            norm (Perez et al. 2018, "FiLM"), by zero at first; 0: the block reads no condition.

    Raises:
        ValueError: for a name that is none of those known, a number that is too small, an even kernel.
    """

    kernel: Sizes = 3
    convs: int = 2
    residual: bool = False
    normalized_shortcut: bool = False
    growth: Growth = "first"
    separable: Separable = "none"
    dropout: float = 0.0
    condition_channels: int = 0

    def __post_init__(self) -> None:
        check_choice("growth", self.growth, get_args(Growth))
        check_choice("separable", self.separable, get_args(Separable))
        check_least("convs", self.convs, 1)
        check_least("condition_channels", self.condition_channels, 0)

    def check(self, layers: Layers) -> None:
        layers.odd_sizes("kernel", self.kernel)

    def example_condition(self, seed: int) -> Condition | None:
        return example_embedding(self.condition_channels, seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return ConvBlock(self, layers, in_channels, out_channels)


class ConvBlock(nn.Module):
    """Module of ``Conv``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, part: Conv, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__()
        kernel = layers.odd_sizes("kernel", part.kernel)
        halfway = out_channels // 2 if part.growth == "last" and out_channels > in_channels else out_channels
        channels = [in_channels, *[halfway] * (part.convs - 1), out_channels]
        chain: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(channels)):
            whole = part.separable == "none" or (part.separable == "inner" and i == part.convs - 1)
            chain += [_full(layers, kernel, a, b) if whole else _separable(layers, kernel, a, b)]
            chain += [layers.make_norm(b)]
            if part.condition_channels:
                chain += [Modulated(Modulation(part.condition_channels, b))]
            chain += [layers.make_activation(b)]
        self.each = len(chain) // part.convs
        self.last = chain.pop() if part.residual else nn.Identity()
        self.layers = Chain(*chain)
        self.shortcut: nn.Module | None = None
        if part.residual:
            same = in_channels == out_channels
            self.shortcut = nn.Identity() if same else layers.make_pointwise(in_channels, out_channels)
        norms = part.normalized_shortcut and in_channels != out_channels
        self.shortcut_norm = layers.make_norm(out_channels) if norms else nn.Identity()
        self.dropout = Dropout(part.dropout, whole_channels=True, inplace=True)
        self.loses_sites = layers.padding == "valid"
        self.reach = tuple(part.convs * (k // 2) for k in kernel)

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        parts = (self.layers, self.last, self.shortcut_norm, *([] if self.shortcut is None else [self.shortcut]))
        y = compute_once(x, self, parts, partial(self._mix, condition=condition))
        return self.dropout(y)  # type: ignore[no-any-return]

    def _mix(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None) -> Tensor:
        if isinstance(x, LazyConcat) and self.shortcut is not None:
            x = LazyConcat(x.geometry, x.parts)  # two layers read it
        if self.loses_sites:
            self._check_sites((x.fresh[0] if isinstance(x, LazyConcat) else x).shape[2:])
        y: Tensor = call_block(self.layers, x, condition)
        if self.shortcut is not None:
            carried = self.shortcut_norm(call_on_parts(self.shortcut, x))
            y = self.last(y + crop_centre(carried, y.shape[2:]))
        return y

    def _check_sites(self, space: Sequence[int]) -> None:
        needed = tuple(2 * reach + 1 for reach in self.reach)
        if any(size < least for size, least in zip(space, needed)):
            raise ValueError(
                f"a block without padding needs {needed} sites or more and got {tuple(space)}: the network's input is "
                "too small; give a larger one, or build the network with padding='same'"
            )

    def stages(self) -> list[nn.Module]:
        """Return each convolution with what follows it; a residual block is one stage."""
        if self.shortcut is not None:
            return [self]
        layers = list(self.layers)
        stages = [Chain(*layers[first : first + self.each]) for first in range(0, len(layers), self.each)]
        stages[-1].append(self.dropout)
        return list(stages)


def _padding(layers: Layers, kernel: tuple[int, ...]) -> tuple[int, ...] | int:
    return tuple(k // 2 for k in kernel) if layers.padding == "same" else 0


def _full(layers: Layers, kernel: tuple[int, ...], in_channels: int, out_channels: int) -> nn.Module:
    return layers.make_conv(in_channels, out_channels, kernel, not layers.normalizes, padding=_padding(layers, kernel))


def _separable(layers: Layers, kernel: tuple[int, ...], in_channels: int, out_channels: int) -> nn.Module:
    """Depthwise and pointwise convolution without activation in between (Chollet 2017, figure 10)."""
    return nn.Sequential(
        layers.make_conv(in_channels, in_channels, kernel, False, padding=_padding(layers, kernel), groups=in_channels),
        layers.make_conv(in_channels, out_channels, (1,) * layers.ndim, not layers.normalizes),
    )
