"""The U-Net: a stack machine over four operators that a geometry supplies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import nn

from multiunet.core.condition import Condition
from multiunet.core.geometry import Geometry
from multiunet.core.recompute import recomputed
from multiunet.core.skip import Concat, Merge, PathNorm, Skip

S = TypeVar("S")
T = TypeVar("T")


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

    def forward(self, x: S, condition: Condition | None = None) -> S:
        for block in self.blocks:
            x = recomputed(block, x, condition) if self.recompute else block(x, condition)
        return x


class UNet(nn.Module, Generic[S]):
    """A U-Net on any geometry (Ronneberger et al. 2015, for grids; Gao & Ji 2019, for graphs).

    Args:
        geometry: makes the operators. The encoder is built of it.
        c_in, c_out: channels of the input and of the output field.
        widths: channels by level, finest first; the last is the bottleneck's. At least two.
        blocks: blocks by level (encoder, bottleneck and decoder alike), or one number for all.
        strides: how much coarser each next level is, one entry a way down (``len(widths) - 1``); None: the geometry's
            default.
        skip: how encoder fields rejoin: ``Concat``, ``Add``, ``AttentionGate``, ``NoSkip``, or one's own.
        path_norm: normalise the two paths before or after they meet.
        fuse: a 1x1 map after the merge, to the decoder's width.
        decoder: another geometry for the bottleneck and the way up (say, with dropout), the encoder's by default.
        recompute: gradient checkpointing of every block: less memory, more time, the same gradients.
        deep_supervision: how many coarser decoder levels get a head of their own; see ``outputs``.

    Raises:
        ValueError: when lists do not fit the number of levels.

    The way down ends before the bottleneck: with an encoder free of dropout, ``decode`` alone is what Monte-Carlo
    dropout has to repeat.
    """

    def __init__(
        self,
        geometry: Geometry[S],
        c_in: int,
        c_out: int,
        widths: Sequence[int],
        *,
        blocks: int | Sequence[int] = 1,
        strides: Sequence[Any] | None = None,
        skip: type[Skip[Any]] = Concat,
        path_norm: PathNorm | None = None,
        fuse: bool = False,
        decoder: Geometry[S] | None = None,
        recompute: bool = False,
        deep_supervision: int = 0,
    ) -> None:
        super().__init__()
        depth = len(widths) - 1
        if depth < 1:
            raise ValueError(f"widths {list(widths)} has no way down; give at least two, e.g. [32, 64]")
        if not 0 <= deep_supervision < depth:
            raise ValueError(
                f"deep_supervision {deep_supervision} is outside 0..{depth - 1} for {depth} decoder levels"
            )
        counts = _per_level("blocks", [blocks] * (depth + 1) if isinstance(blocks, int) else blocks, depth + 1)
        if min(counts) < 1:
            raise ValueError(f"blocks {counts} must be at least 1 on every level")
        steps = _per_level("strides", [None] * depth if strides is None else strides, depth)
        climb = geometry if decoder is None else decoder

        def level(factory: Geometry[S], c: int, width: int, count: int) -> Level[S]:
            first = factory.block(c, width)
            return Level([first, *(factory.block(width, width) for _ in range(count - 1))], recompute)

        self.geometry = geometry
        self.c_in, self.c_out, self.widths = c_in, c_out, tuple(widths)
        sources = (c_in, *widths[:-1])
        self.encoder = nn.ModuleList(level(geometry, *level_of) for level_of in zip(sources[:-1], widths, counts))
        self.downs = nn.ModuleList(geometry.down(width, step) for width, step in zip(widths, steps))
        self.bottleneck = level(climb, sources[-1], widths[-1], counts[-1])
        self.ups, self.merges, self.decoder, self.deep_heads = (nn.ModuleList() for _ in range(4))
        for i in reversed(range(depth)):
            width = widths[i]
            self.ups.append(climb.up(widths[i + 1], width, steps[i]))
            merge = Merge(climb, skip, width, width, path_norm, width if fuse else None)
            self.merges.append(merge)
            self.decoder.append(level(climb, merge.channels, width, counts[i]))
            if 0 < i <= deep_supervision:
                self.deep_heads.append(climb.pointwise(width, c_out))
        self.head = climb.pointwise(widths[0], c_out)

    def prefix(self) -> list[nn.Module]:
        """The modules that ``encode`` runs."""
        return [self.encoder, self.downs]

    def encode(self, x: S, condition: Condition | None = None) -> Trail[S]:
        """The way down: fields saved for the skips, and the coarsest field."""
        saved = []
        for block, down in zip(self.encoder, self.downs):
            x = block(x, condition)
            saved.append(x)
            x = down(x)
        return Trail(tuple(saved), x)

    def ascend(self, trail: Trail[S], condition: Condition | None = None) -> Iterator[S]:
        """The way up: the bottleneck, then the decoder's fields, coarsest first, before any head."""
        x = self.bottleneck(trail.bottom, condition)
        for up, merge, block, skip in zip(self.ups, self.merges, self.decoder, reversed(trail.saved)):
            x = up(x, skip)
            x = merge(x, skip)
            x = block(x, condition)
            yield x

    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        """The bottleneck, the way up and the head."""
        for finest in self.ascend(trail, condition):
            x = finest
        output: S = self.head(x)
        return output

    def forward(self, x: S, condition: Condition | None = None) -> S:
        """``c_in`` channels in, ``c_out`` channels out, on the same sites."""
        return self.decode(self.encode(x, condition), condition)

    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """All supervised outputs, finest first: ``forward``'s, then one for each level of ``deep_supervision``.

        Dou et al. 2016; Lee et al. 2015 ("Deeply-supervised nets").
        """
        heads = [*self.deep_heads, self.head]
        fields = list(self.ascend(self.encode(x, condition), condition))[-len(heads) :]
        return tuple(head(field) for head, field in zip(heads, fields))[::-1]


def _per_level(name: str, values: Sequence[T], count: int) -> list[T]:
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} entries for {count} levels; give one for each")
    return list(values)
