"""Attention within windows of a grid of any number of axes, plain or shifted by half a window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition
from multiunet.core.exporting import count_windows, is_exporting
from multiunet.geometries.grid.layers import Layers, Sizes
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.transformer import TransformerBlock, check_sizes, make_example, make_feed


@dataclass(frozen=True)
class Window(Block):
    """Transformer block within windows, with a learnt bias by relative place.

    Liu et al. 2021, "Swin Transformer", eq. 3 and 4. A plain block and a shifted one in turn bring windows together:
    ``InTurn(Window(8), Window(8, shifted=True))``. Windows begin on multiples of their size, so tiles of a network of
    such blocks that begin there, too, are exact.

    Args:
        window: sites of a window; one number, or one an axis.
        heads: of the attention; they share the channels out.
        shifted: windows begin half a window later, on axes that are longer than one.
        expansion, dropout, condition_channels: those of ``Transformer``.
        reads_fill: zeros that fill a field up to whole windows are read as sites, as the code of the paper has it;
            False: they are masked.

    Raises:
        ValueError: for a number that is too small, or channels that the heads cannot share out.
    """

    window: Sizes = 8
    heads: int = 4
    shifted: bool = False
    expansion: int = 4
    dropout: float = 0.0
    condition_channels: int = 0
    reads_fill: bool = False

    def __post_init__(self) -> None:
        check_sizes(self.heads, self.expansion, self.condition_channels)

    def check(self, layers: Layers) -> None:
        layers.sizes("window", self.window)

    def example_condition(self, seed: int) -> Condition | None:
        return make_example(self.condition_channels, seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        window = layers.sizes("window", self.window)
        mix = WindowAttention(out_channels, self.heads, window, self.shifted, self.reads_fill)
        feed = make_feed(out_channels, self.expansion)
        block = TransformerBlock(layers, in_channels, out_channels, mix, feed, self.dropout, self.condition_channels)
        block.period = window
        if self.shifted:
            # a site farther than its window: so no tile is so short that one window would hold it
            block.reach = window
        return block


class WindowAttention(nn.Module):
    """Attention of fields ``(N, *space, C)`` within windows."""

    index: Tensor

    def __init__(self, channels: int, heads: int, window: tuple[int, ...], shifted: bool, reads_fill: bool) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be shared out among {heads} heads; give a divisor of them")
        self.heads, self.window, self.shifted, self.reads_fill = heads, window, shifted, reads_fill
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.table = nn.Parameter(torch.empty(math.prod(2 * size - 1 for size in window), heads))
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_buffer("index", _index_offsets(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        space = x.shape[1:-1]
        fill = [count_windows(size, w) * w - size for size, w in zip(space, self.window)]
        # an axis that one window holds stays whole
        shifts = [shift_of(size, w) if self.shifted else 0 for size, w in zip(space, self.window)]
        padded = functional.pad(x, [0, 0, *(end for rest in reversed(fill) for end in (0, rest))])
        rows = split(roll(padded, [-s for s in shifts]), self.window)
        rows = self._attend(rows, self._mask(space, fill, shifts))
        y = roll(join(rows, padded.shape, self.window), shifts)
        return y[(slice(None), *(slice(size) for size in space))]

    def _attend(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Attend within windows ``(N, windows, sites, C)``; without a mask return ``(N * windows, 1, sites, C)``."""
        bias = self.table[self.index].movedim(-1, 0)[None]  # (1, heads, sites, sites)
        if mask is None:
            rows = rows.flatten(0, 1)[:, None]  # one bias for all
        else:
            bias = bias.masked_fill(~mask, float("-inf"))  # of as many heads as there are heads in all windows
        query, key, value = self.qkv(rows).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5).flatten(2, 3)
        seen = bias.flatten(0, 1)[None].to(query.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.out(mixed.unflatten(1, (-1, self.heads)).transpose(2, 3).flatten(3))  # type: ignore[no-any-return]

    def _mask(self, space: Sequence[int], fill: Sequence[int], shifts: Sequence[int]) -> Tensor | None:
        """Return which sites of a window see each other, ``(windows, 1, sites, sites)``; None where all do.

        Sites that a shift brings together from both ends of an axis do not, nor sites and what fills the field up.
        """
        if not is_exporting() and not any(shifts) and (self.reads_fill or not any(fill)):
            return None
        region = torch.zeros(1, *[1] * len(space), 1, dtype=torch.int64, device=self.index.device)
        for axis, (size, rest, shift) in enumerate(zip(space, fill, shifts), start=1):
            place = roll(torch.arange(size + rest, device=region.device)[None], [-shift])[0]
            part = (place < shift) + 2 * (place >= (size + rest if self.reads_fill else size))
            region = 3 * region + part.reshape(-1, *[1] * (len(space) + 1 - axis))
        rows = split(region, self.window)[0, :, :, 0]
        return (rows[:, :, None] == rows[:, None, :])[:, None]


def shift_of(size: int, window: int) -> int:
    """Return how many sites later windows begin: half a window, 0 where one holds all sites."""
    # without a branch, so that a size may be a symbol
    return window // 2 * torch.sym_min(1, (size - 1) // window)  # type: ignore[no-any-return]


def roll(x: Tensor, shifts: Sequence[int]) -> Tensor:
    """Return ``(N, *space, ...)`` with its sites moved along each axis, those beyond the end to its begin."""
    if not is_exporting():
        return x.roll(tuple(shifts), tuple(range(1, 1 + len(shifts))))
    for axis, shift in enumerate(shifts, start=1):
        size = x.shape[axis]
        place = torch.arange(size, device=x.device)
        # a remainder of two tensors: ONNX has none of a tensor and a symbol
        x = x.index_select(axis, torch.remainder(place + (size - shift), torch.full_like(place, size)))
    return x


def split(x: Tensor, window: Sequence[int]) -> Tensor:
    """Split a field ``(N, *space, C)`` of whole windows into them, ``(N, windows, sites, C)``."""
    ndim = len(window)
    sides = [side for size, w in zip(x.shape[1:], window) for side in (size // w, w)]
    x = x.reshape(len(x), *sides, x.shape[-1])
    x = x.permute(0, *range(1, 2 * ndim, 2), *range(2, 2 * ndim + 1, 2), 2 * ndim + 1)
    return x.flatten(1, ndim).flatten(2, ndim + 1)


def join(rows: Tensor, shape: Sequence[int], window: Sequence[int]) -> Tensor:
    """Join windows ``(..., sites, C)`` to the field of this shape: undo ``split``."""
    ndim = len(window)
    counts = [size // w for size, w in zip(shape[1:], window)]
    x = rows.reshape(shape[0], *counts, *window, rows.shape[-1])
    x = x.permute(0, *(axis for i in range(1, ndim + 1) for axis in (i, i + ndim)), 2 * ndim + 1)
    return x.reshape(tuple(shape))


def _index_offsets(window: Sequence[int]) -> Tensor:
    """Number how far apart each two sites of a window are, by axis, ``(sites, sites)``."""
    places = torch.stack(torch.meshgrid(*map(torch.arange, window), indexing="ij")).flatten(1)
    index = torch.zeros(places.shape[1], places.shape[1], dtype=torch.int64)
    for size, place in zip(window, places):
        index = (2 * size - 1) * index + place[:, None] - place[None, :] + size - 1
    return index
