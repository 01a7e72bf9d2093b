"""Transformer block of a grid: attention, then a network of two layers, each behind a norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Dropout, LazyConcat, Modulation, MultiheadAttention, reads_lazy_concat
from multiunet.geometries.choices import check_least
from multiunet.geometries.grid.chain import call_on_parts, modulate
from multiunet.geometries.grid.layers import Layers
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.positions import Positions


@dataclass(frozen=True)
class Transformer(Block):
    """Transformer block over all sites of a level (Vaswani et al. 2017; norms come first, as in ViT).

    With ``condition_channels`` it is DiT's (Peebles & Xie 2023, figure 3, "adaLN-Zero"): the condition's embedding
    scales and shifts what each norm gives, and gates what each branch adds, all by zero at first. Without an embedding
    nothing is scaled, shifted or gated.

    An output site looks everywhere, so tiles of a network with it only approximate the whole. The work grows with the
    square of the number of sites.

    Args:
        heads: of the attention; they share the channels out.
        positions: where sites are, as attention sees it: ``Rotary()`` or ``Relative()``; None: it does not.
        expansion: channels between the two layers, over those of the block.
        dropout: probability that a channel of what a branch adds is dropped, at all sites.
        condition_channels: channels of ``Condition.embedding``; 0: the block reads no condition.

    Raises:
        ValueError: for a number that is too small, or channels that the heads cannot share out.
    """

    heads: int = 4
    positions: Positions | None = None
    expansion: int = 4
    dropout: float = 0.0
    condition_channels: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.heads, self.expansion, self.condition_channels)

    def example_condition(self, seed: int) -> Condition | None:
        return make_example(self.condition_channels, seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        places = None if self.positions is None else self.positions.build(layers.ndim, out_channels, self.heads)
        mix = GlobalAttention(MultiheadAttention(out_channels, self.heads), places)
        feed = make_feed(out_channels, self.expansion)
        block = TransformerBlock(layers, in_channels, out_channels, mix, feed, self.dropout, self.condition_channels)
        block.is_global = True
        return block


class TransformerBlock(nn.Module):
    """Module of blocks that attend: ``x = x + mix(norm(x)); x + feed(norm(x))`` at each site.

    Args:
        mix, feed: map fields ``(N, *space, C)``, channels last.
        dropout, condition_channels: see ``Transformer``.

    Attributes:
        is_global: an output site looks everywhere; else ``period`` (and ``reach``) say how far it looks.
    """

    is_global = False
    period: tuple[int, ...] | None = None
    reach: tuple[int, ...] | None = None

    def __init__(
        self,
        layers: Layers,
        in_channels: int,
        out_channels: int,
        mix: nn.Module,
        feed: nn.Module,
        dropout: float = 0.0,
        condition_channels: int = 0,
    ) -> None:
        super().__init__()
        same = in_channels == out_channels
        self.enter = nn.Identity() if same else layers.make_pointwise(in_channels, out_channels)
        self.branches = nn.ModuleList([mix, feed])
        # what an embedding scales and shifts has no scale and shift of its own
        self.norms = nn.ModuleList(
            nn.LayerNorm(out_channels, elementwise_affine=condition_channels == 0) for _ in self.branches
        )
        # of each branch shift, scale and gate
        self.modulation = Modulation(condition_channels, 3 * out_channels) if condition_channels else None
        self.dropouts = nn.ModuleList(Dropout(dropout, whole_channels=True) for _ in self.branches)

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        y = call_on_parts(self.enter, x).movedim(1, -1)
        told = self._read(y, condition)
        for norm, branch, dropout, (shift, scale, gate) in zip(self.norms, self.branches, self.dropouts, told):
            change = norm(y)
            if scale is not None:
                change = change * (1 + scale) + shift
            change = dropout(branch(change).movedim(-1, 1)).movedim(1, -1)
            y = y + (change if gate is None else gate * change)
        return y.movedim(-1, 1)

    def _read(self, y: Tensor, condition: Condition | None) -> list[tuple[Tensor | None, ...]]:
        """Return shift, scale and gate of each branch, on the sites of ``y``; None without an embedding."""
        made = None if self.modulation is None else modulate(self.modulation, condition, len(y))
        if made is None:
            return [(None, None, None)] * 2
        return [
            tuple(vector.reshape(len(vector), *[1] * (y.ndim - 2), -1) for vector in branch.chunk(3, dim=1))
            for branch in made
        ]


class GlobalAttention(nn.Module):
    """Attention of every site to all sites of its sample, of fields ``(N, *space, C)``."""

    def __init__(self, attention: MultiheadAttention, positions: nn.Module | None) -> None:
        super().__init__()
        self.attention, self.positions = attention, positions

    def forward(self, x: Tensor) -> Tensor:
        space: Sequence[int] = x.shape[1:-1]
        told = {} if self.positions is None else self.positions(space)
        return self.attention(x.flatten(1, -2), **told).reshape(x.shape)  # type: ignore[no-any-return]


def make_feed(channels: int, expansion: int) -> nn.Module:
    """Make the network of two layers that maps each site by itself."""
    inner = expansion * channels
    return nn.Sequential(nn.Linear(channels, inner), nn.GELU(), nn.Linear(inner, channels))


def count_heads(channels: int, each: int) -> int:
    """Return the most heads that share out so many channels and have ``each`` or more; at least one.

    >>> count_heads(128, each=32), count_heads(100, each=32), count_heads(8, each=32)
    (4, 2, 1)
    """
    return max(heads for heads in range(1, max(1, channels // each) + 1) if channels % heads == 0)


def check_sizes(heads: int, expansion: int, condition_channels: int = 0) -> None:
    """Raises ValueError when a number is too small."""
    check_least("heads", heads, 1)
    check_least("expansion", expansion, 1)
    check_least("condition_channels", condition_channels, 0)


def make_example(condition_channels: int, seed: int) -> Condition | None:
    """Make a condition of one sample with an embedding of so many channels; None for 0."""
    if condition_channels == 0:
        return None
    return Condition(torch.randn(1, condition_channels, generator=torch.Generator().manual_seed(seed)))
