"""The U-Net: a stack machine over four operators that a geometry supplies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, TypeVar, cast, get_args

from torch import Tensor, nn

from multiunet.core.condition import Condition
from multiunet.core.geometry import Geometry
from multiunet.core.joined import Joined, applied, is_hooked
from multiunet.core.recompute import climb_recomputed, down_recomputed, recomputed
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
    """The blocks of one level, one after the other; ``recompute`` drops and recomputes their activations."""

    def __init__(self, blocks: Sequence[nn.Module], recompute: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.recompute = recompute

    def forward(self, x: S | Joined[S], condition: Condition | None = None) -> S:
        for block in self.blocks:
            x = recomputed(block, x, condition) if self.recompute else applied(block, x, condition)
        return cast("S", x)


class Descent(nn.Module, ABC, Generic[S]):
    """The way down and the bottleneck, with which every topology of a U-Net begins.

    The way down ends before the bottleneck: with an encoder free of dropout, ``decode`` alone is what Monte-Carlo
    dropout has to repeat. For the arguments see ``UNet``.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        c_in: int,
        c_out: int,
        widths: Sequence[int],
        blocks: int | Sequence[int],
        strides: Sequence[Any] | None,
        decoder: Geometries[S] | None,
        recompute: bool,
        deep_supervision: int,
        widen: Widen = "block",
    ) -> None:
        super().__init__()
        depth = ways_down(widths)
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
        self.c_in, self.c_out, self.widths, self.recompute = c_in, c_out, tuple(widths), recompute
        # the channels that enter each level's blocks
        sources = (c_in, *(widths[1:] if widen == "down" else widths[:-1]))
        self.encoder, self.downs = nn.ModuleList(), nn.ModuleList()
        for fall, source, width, count, target, step in zip(falls, sources, widths, counts, sources[1:], steps):
            self.encoder.append(self.level(fall, source, width, count))
            self.downs.append(fall.down(width, step) if target == width else fall.down_to(width, target, step))
        self.c_bottom = sources[-1]  # of the field that enters the bottleneck
        self.bottleneck = self.level(climbs[-1], sources[-1], widths[-1], counts[-1])
        self._counts, self._steps, self._climbs = counts, steps, climbs  # for the way up, which a subclass builds

    def level(self, geometry: Geometry[S], c_in: int, width: int, count: int) -> Level[S]:
        """``count`` blocks in a row, from ``c_in`` to ``width`` channels."""
        first = geometry.block(c_in, width)
        return Level([first, *(geometry.block(width, width) for _ in range(count - 1))], self.recompute)

    def prefix(self) -> list[nn.Module]:
        """The modules that ``encode`` runs."""
        return [self.encoder, self.downs]

    def encode(self, x: S, condition: Condition | None = None) -> Trail[S]:
        """The way down: fields saved for the skips, and the coarsest field."""
        saved = []
        for block, down in zip(self.encoder, self.downs):
            x = block(x, condition)
            saved.append(x)
            x = down_recomputed(down, x) if self.recompute else down(x)
        return Trail(tuple(saved), x)

    @abstractmethod
    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        """The bottleneck, the way up and the head."""

    def forward(self, x: S, condition: Condition | None = None) -> S:
        """``c_in`` channels in, ``c_out`` channels out, on the same sites."""
        return self.decode(self.encode(x, condition), condition)

    @abstractmethod
    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """All supervised outputs; the first is ``forward``'s."""

    @abstractmethod
    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        """Values known on the input's sites (labels, targets, weights), taken at the sites of each of ``outputs``."""


class UNet(Descent[S]):
    """A U-Net on any geometry (Ronneberger et al. 2015, for grids; Gao & Ji 2019, for graphs).

    Args:
        geometry: makes the operators of the encoder: one for all levels, or one a level, finest first. That of a level
            also makes the ways to and from the next coarser one.
        c_in, c_out: channels of the input and of the output field.
        widths: channels by level, finest first; the last is the bottleneck's. At least two.
        blocks: blocks by level (encoder, bottleneck and decoder alike), or one number for all.
        strides: how much coarser each next level is, one entry a way down (``len(widths) - 1``); None: the geometry's
            default.
        skip: how encoder fields rejoin: ``Concat``, ``Add``, ``AttentionGate``, ``NoSkip``, or one's own.
        path_norm: normalise the two paths before or after they meet.
        fuse: a 1x1 map after the merge, to the decoder's width.
        decoder: the same for the bottleneck and the way up (say, with dropout); the encoder's by default.
        recompute: gradient checkpointing of every block: less memory, more time, the same gradients. Does not go with
            ``torch.compile``, which recomputes what it likes itself.
        deep_supervision: how many coarser decoder levels get a head of their own; see ``outputs``.
        widen: where channels grow on the way down: in a level's first block, or in the way ``down`` to it.
        decoder_widths: channels of the decoder by level, finest first, without the bottleneck's; the encoder's by
            default.
        up_widths: channels of the refined field that meets the skip; ``decoder_widths`` by default.
        decoder_blocks: blocks by level of the decoder, finest first, without the bottleneck's; ``blocks`` by default.

    Raises:
        ValueError: when lists do not fit the number of levels, or a name is none of those known.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        c_in: int,
        c_out: int,
        widths: Sequence[int],
        *,
        blocks: int | Sequence[int] = 1,
        strides: Sequence[Any] | None = None,
        skip: type[Skip[Any]] = Concat,
        path_norm: PathNorm | None = None,
        fuse: bool = False,
        decoder: Geometries[S] | None = None,
        recompute: bool = False,
        deep_supervision: int = 0,
        widen: Widen = "block",
        decoder_widths: Sequence[int] | None = None,
        up_widths: Sequence[int] | None = None,
        decoder_blocks: Sequence[int] | None = None,
    ) -> None:
        super().__init__(geometry, c_in, c_out, widths, blocks, strides, decoder, recompute, deep_supervision, widen)
        depth, climbs = len(self.downs), self._climbs
        outs = per_level("decoder_widths", decoder_widths or self.widths[:-1], depth)
        refined = per_level("up_widths", up_widths or outs, depth)
        counts = _counts("decoder_blocks", decoder_blocks or self._counts[:-1], depth)
        self.ups, self.merges, self.decoder, self.deep_heads = (nn.ModuleList() for _ in range(4))
        below = (*outs[1:], self.widths[-1])
        for i in reversed(range(depth)):
            self.ups.append(climbs[i].up(below[i], refined[i], self._steps[i]))
            merge = Merge(climbs[i], skip, refined[i], self.widths[i], path_norm, outs[i] if fuse else None)
            self.merges.append(merge)
            self.decoder.append(self.level(climbs[i], merge.channels, outs[i], counts[i]))
            if 0 < i <= deep_supervision:
                self.deep_heads.append(climbs[i].pointwise(outs[i], c_out))
        self.head = climbs[0].pointwise(outs[0], c_out)

    def ascend(self, trail: Trail[S], condition: Condition | None = None) -> Iterator[S]:
        """The way up: the bottleneck, then the decoder's fields, coarsest first, before any head."""
        x = self.bottleneck(trail.bottom, condition)
        for up, merge, level, skip in zip(self.ups, self.merges, self.decoder, reversed(trail.saved)):
            if self.recompute and not is_hooked(level):
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


def ways_down(widths: Sequence[int]) -> int:
    """How many ways down lead through levels of these widths.

    Raises:
        ValueError: when there is none.
    """
    if len(widths) < 2:
        raise ValueError(f"widths {list(widths)} has no way down; give at least two, e.g. [32, 64]")
    return len(widths) - 1


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
