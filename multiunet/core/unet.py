"""The U-Net: a stack machine over four operators that a geometry supplies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, TypeVar, cast, get_args

from torch import Tensor, nn

from multiunet.core.checkpointing import climb_recomputed, down_recomputed, recomputed
from multiunet.core.condition import Condition
from multiunet.core.geometry import Geometry
from multiunet.core.lazy import LazyConcat, call_block, is_hooked
from multiunet.core.skip import Concat, Merge, PathNorm, Skip

S = TypeVar("S")
T = TypeVar("T")

Widen = Literal["block", "down"]
Geometries = Geometry[S] | Sequence[Geometry[S]]
"""One for all levels, or one a level, finest first."""


@dataclass(frozen=True)
class Trail(Generic[S]):
    """What the way down leaves for the way up.

    Attributes:
        saved: the fields that skips carry across, finest first.
        bottom: the coarsest field, as it enters the bottleneck.
    """

    saved: tuple[S, ...]
    bottom: S


class Level(nn.Module, Generic[S]):
    """Blocks of one level, one after the other; with ``gradient_checkpointing`` their activations are recomputed."""

    def __init__(self, blocks: Sequence[nn.Module], gradient_checkpointing: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.gradient_checkpointing = gradient_checkpointing

    def forward(self, x: S | LazyConcat[S], condition: Condition | None = None) -> S:
        for block in self.blocks:
            x = recomputed(block, x, condition) if self.gradient_checkpointing else call_block(block, x, condition)
        return cast("S", x)


class Encoder(nn.Module, ABC, Generic[S]):
    """The way down and the bottleneck, with which every topology of a U-Net begins.

    The way down ends before the bottleneck: with an encoder free of dropout, ``decode`` alone is what Monte-Carlo
    dropout has to repeat. For the arguments see ``UNet``.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        blocks: int | Sequence[int],
        strides: Sequence[Any] | None,
        decoder: Geometries[S] | None,
        gradient_checkpointing: bool,
        deep_supervision: int,
        widen: Widen = "block",
    ) -> None:
        super().__init__()
        depth = ways_down(channels)
        if not 0 <= deep_supervision < depth:
            raise ValueError(
                f"deep_supervision {deep_supervision} is outside 0..{depth - 1} for {depth} decoder levels"
            )
        if widen not in get_args(Widen):
            raise ValueError(f"widen {widen!r} is none of {', '.join(get_args(Widen))}")
        counts = _counts("blocks", [blocks] * (depth + 1) if isinstance(blocks, int) else blocks, depth + 1)
        steps = per_level("strides", [None] * depth if strides is None else strides, depth)
        falls = _geometries("geometry", geometry, depth + 1)
        climbs = falls if decoder is None else _geometries("decoder", decoder, depth + 1)
        self.geometry, self.deep_supervision = falls[0], deep_supervision
        self.in_channels, self.out_channels, self.channels, self.gradient_checkpointing = (
            in_channels,
            out_channels,
            tuple(channels),
            gradient_checkpointing,
        )
        # the channels that enter each level's blocks
        sources = (in_channels, *(channels[1:] if widen == "down" else channels[:-1]))
        self.encoder, self.downs = nn.ModuleList(), nn.ModuleList()
        for fall, source, width, count, target, step in zip(falls, sources, channels, counts, sources[1:], steps):
            self.encoder.append(self.level(fall, source, width, count))
            self.downs.append(fall.down(width, step) if target == width else fall.down_to(width, target, step))
        self.bottom_channels = sources[-1]  # of the field that enters the bottleneck
        self.bottleneck = self.level(climbs[-1], sources[-1], channels[-1], counts[-1])
        self._counts, self._steps, self._climbs = counts, steps, climbs  # for the way up, which a subclass builds

    def level(self, geometry: Geometry[S], in_channels: int, width: int, count: int) -> Level[S]:
        """``count`` blocks in a row, from ``in_channels`` to ``width`` channels."""
        first = geometry.block(in_channels, width)
        return Level([first, *(geometry.block(width, width) for _ in range(count - 1))], self.gradient_checkpointing)

    def prefix(self) -> list[nn.Module]:
        """The modules that ``encode`` runs."""
        return [self.encoder, self.downs]

    def encode(self, x: S, condition: Condition | None = None) -> Trail[S]:
        """The way down: fields saved for the skips, and the coarsest field."""
        saved = []
        for block, down in zip(self.encoder, self.downs):
            x = block(x, condition)
            saved.append(x)
            x = down_recomputed(down, x) if self.gradient_checkpointing else down(x)
        return Trail(tuple(saved), x)

    @abstractmethod
    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        """The bottleneck, the way up and the head."""

    def forward(self, x: S, condition: Condition | None = None) -> S:
        """``in_channels`` channels in, ``out_channels`` channels out, on the same sites."""
        return self.decode(self.encode(x, condition), condition)

    @abstractmethod
    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """All supervised outputs; the first is ``forward``'s."""

    @abstractmethod
    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        """Values known on the input's sites (labels, targets, weights), taken at the sites of each of ``outputs``."""


class UNet(Encoder[S]):
    """A U-Net on any geometry (Ronneberger et al. 2015, for grids; Gao & Ji 2019, for graphs).

    Args:
        geometry: makes the operators of the encoder: one for all levels, or one a level, finest first. That of a level
            also makes the ways to and from the next coarser one.
        in_channels, out_channels: channels of the input and of the output field.
        channels: channels by level, finest first; the last is the bottleneck's. At least two.
        blocks: blocks by level (encoder, bottleneck and decoder alike), or one number for all.
        strides: how much coarser each next level is, one entry a way down (``len(channels) - 1``); None: the geometry's
            default.
        skip: how encoder fields rejoin: ``Concat``, ``Add``, ``AttentionGate``, ``NoSkip``, or one's own.
        path_norm: normalise the two paths before or after they meet.
        fuse: a 1x1 map after the merge, to the decoder's width.
        decoder: the same for the bottleneck and the way up (say, with dropout); the encoder's by default.
        gradient_checkpointing: recompute every block's activations in the backward pass: less memory, more time, the
            same gradients. Does not go with ``torch.compile``, which recomputes what it likes itself.
        deep_supervision: how many coarser decoder levels get a head of their own; see ``outputs``.
        widen: where channels grow on the way down: in a level's first block, or in the way ``down`` to it.
        decoder_channels: channels of the decoder by level, finest first, without the bottleneck's; the encoder's by
            default.
        up_channels: channels of the refined field that meets the skip; ``decoder_channels`` by default.
        decoder_blocks: blocks by level of the decoder, finest first, without the bottleneck's; ``blocks`` by default.

    Raises:
        ValueError: when lists do not fit the number of levels, or a name is none of those known.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        *,
        blocks: int | Sequence[int] = 1,
        strides: Sequence[Any] | None = None,
        skip: type[Skip[Any]] = Concat,
        path_norm: PathNorm | None = None,
        fuse: bool = False,
        decoder: Geometries[S] | None = None,
        gradient_checkpointing: bool = False,
        deep_supervision: int = 0,
        widen: Widen = "block",
        decoder_channels: Sequence[int] | None = None,
        up_channels: Sequence[int] | None = None,
        decoder_blocks: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            geometry,
            in_channels,
            out_channels,
            channels,
            blocks,
            strides,
            decoder,
            gradient_checkpointing,
            deep_supervision,
            widen,
        )
        depth, climbs = len(self.downs), self._climbs
        outs = per_level("decoder_channels", decoder_channels or self.channels[:-1], depth)
        refined = per_level("up_channels", up_channels or outs, depth)
        counts = _counts("decoder_blocks", decoder_blocks or self._counts[:-1], depth)
        self.ups, self.merges, self.decoder, self.deep_heads = (nn.ModuleList() for _ in range(4))
        below = (*outs[1:], self.channels[-1])
        for i in reversed(range(depth)):
            self.ups.append(climbs[i].up(below[i], refined[i], self._steps[i]))
            merge = Merge(climbs[i], skip, refined[i], self.channels[i], path_norm, outs[i] if fuse else None)
            self.merges.append(merge)
            self.decoder.append(self.level(climbs[i], merge.channels, outs[i], counts[i]))
            if 0 < i <= deep_supervision:
                self.deep_heads.append(climbs[i].pointwise(outs[i], out_channels))
        self.head = climbs[0].pointwise(outs[0], out_channels)

    def ascend(self, trail: Trail[S], condition: Condition | None = None) -> Iterator[S]:
        """The way up: the bottleneck, then the decoder's fields, coarsest first, before any head."""
        x = self.bottleneck(trail.bottom, condition)
        for up, merge, level, skip in zip(self.ups, self.merges, self.decoder, reversed(trail.saved)):
            if self.gradient_checkpointing and not is_hooked(level):
                x = climb_recomputed(up, merge, cast("Level[S]", level).blocks, x, skip, condition)
            else:
                x = level(merge(up(x, skip), skip), condition)
            yield x

    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        for finest in self.ascend(trail, condition):
            x = finest
        output: S = self.head(x)
        return output

    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """``forward``'s output, then one for each level of ``deep_supervision``, coarser and coarser.

        Dou et al. 2016; Lee et al. 2015 ("Deeply-supervised nets").
        """
        heads = [*self.deep_heads, self.head]
        fields = list(self.ascend(self.encode(x, condition), condition))[-len(heads) :]
        return tuple(head(field) for head, field in zip(heads, fields))[::-1]

    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        taken = [values]
        for geometry, step, (fine, coarse) in zip(self._climbs, self._steps, pairwise(outputs)):
            taken.append(geometry.sample(taken[-1], fine, coarse, step))
        return tuple(taken)


def ways_down(channels: Sequence[int]) -> int:
    """How many ways down lead through levels of these channels.

    Raises:
        ValueError: when there is none.
    """
    if len(channels) < 2:
        raise ValueError(f"channels {list(channels)} has no way down; give at least two, e.g. [32, 64]")
    return len(channels) - 1


def per_level(name: str, values: Sequence[T], count: int) -> list[T]:
    """The values as a list of ``count``.

    Raises:
        ValueError: when there are not so many.
    """
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} entries for {count} levels; give one for each")
    return list(values)


def _counts(name: str, values: Sequence[int], levels: int) -> list[int]:
    counts = per_level(name, values, levels)
    if min(counts) < 1:
        raise ValueError(f"{name} {counts} must be at least 1 on every level")
    return counts


def _geometries(name: str, given: Geometries[S], count: int) -> list[Geometry[S]]:
    return [given] * count if isinstance(given, Geometry) else per_level(name, given, count)
