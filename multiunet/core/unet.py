"""U-Net: a stack machine over four operators that a geometry supplies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from multiunet.core.condition import Condition, check_condition
from multiunet.core.embedding import ConditionEmbedding, Embedded
from multiunet.core.geometry import Geometry
from multiunet.core.lazy import LazyConcat
from multiunet.core.level import LevelSpec, describe_levels, per_level
from multiunet.core.shared import Shared, is_hooked
from multiunet.core.skip import Concat, MakeSkip, Merge, PathNorm
from multiunet.core.stage import DownStage, Level, UpStage

S = TypeVar("S")

Geometries = Geometry[S] | Sequence[Geometry[S]]
"""One for all levels, or one a level, finest first."""


@dataclass(frozen=True)
class Trail(Generic[S]):
    """Fields that the way down leaves for the way up.

    Attributes:
        saved: the fields that skips carry across, finest first.
        bottom: the coarsest field, as it enters the bottleneck.
    """

    saved: tuple[S, ...]
    bottom: S


class Encoder(nn.Module, ABC, Generic[S]):
    """Way down and bottleneck, with which every topology of a U-Net begins.

    The way down ends before the bottleneck: with an encoder free of dropout, ``decode`` alone is what Monte-Carlo
    dropout has to repeat. For the arguments see ``UNet``.

    Attributes:
        geometry: that of the finest level.
        in_channels, out_channels: channels of the input and of the output field.
        channels: channels of the encoder's blocks by level, the last the bottleneck's.
        bottom_channels: channels of the field that enters the bottleneck.
        num_levels: number of levels, the bottleneck's included.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int | LevelSpec],
        *,
        strides: Sequence[Any] | None,
        decoder: Geometries[S] | None,
        gradient_checkpointing: bool,
        deep_supervision: int,
        embed: ConditionEmbedding | None,
    ) -> None:
        super().__init__()
        levels = describe_levels(channels)
        self.num_levels = len(levels)
        depth = self.num_levels - 1
        if not 0 <= deep_supervision < depth:
            raise ValueError(
                f"deep_supervision {deep_supervision} is outside 0..{depth - 1} for {depth} decoder levels"
            )
        steps = per_level("strides", [None] * depth if strides is None else strides, depth)
        encoders = _geometries("geometry", geometry, self.num_levels)
        decoders = encoders if decoder is None else _geometries("decoder", decoder, self.num_levels)
        self.geometry, self.in_channels, self.out_channels = encoders[0], in_channels, out_channels
        self.channels = tuple(level.channels for level in levels)
        self.deep_supervision, self.gradient_checkpointing = deep_supervision, gradient_checkpointing
        # the channels that enter each level's blocks
        above = (in_channels, *self.channels)
        entering = [c if level.entering is None else level.entering for level, c in zip(levels, above)]
        self.encoder, self.downs = nn.ModuleList(), nn.ModuleList()
        for one, source, level, target, step in zip(encoders, entering, levels, entering[1:], steps):
            self.encoder.append(self.make_level(one, source, level.channels, level.blocks))
            self.downs.append(one.make_down(level.channels, target, step))
        self.bottom_channels = entering[-1]
        bottom = levels[-1]
        self.bottleneck = self.make_level(decoders[-1], self.bottom_channels, bottom.channels, bottom.blocks)
        self.embed = embed
        self._levels, self._steps, self._decoders = levels, steps, decoders  # for the way up, which a subclass builds

    def make_level(self, geometry: Geometry[S], in_channels: int, channels: int, count: int) -> Level[S]:
        """Make ``count`` blocks in a row, from ``in_channels`` to ``channels``."""
        first = geometry.make_block(in_channels, channels)
        others = [geometry.make_block(channels, channels) for _ in range(count - 1)]
        return Level([first, *others], self.gradient_checkpointing)

    @property
    def down_stages(self) -> list[DownStage[S]]:
        """The levels of the encoder, each with the way down from it, finest first."""
        return [DownStage(level, down) for level, down in zip(self.encoder, self.downs)]

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return [self.encoder, self.downs]

    def read(self, condition: Condition | None) -> Condition | None:
        """Return the condition as blocks read it, embedded where the network has an embedding.

        Raises:
            ValueError: when the condition holds something that the embedding or its readers have no room for.
        """
        if self.embed is None or condition is None or isinstance(condition, Embedded):
            return condition
        check_condition(self, condition)
        embedded: Condition = self.embed(condition)
        return embedded

    def encode(self, x: S, condition: Condition | None = None) -> Trail[S]:
        """Go down: return the fields saved for the skips, and the coarsest field."""
        condition = self.read(condition)
        check_condition(self, condition)
        saved = []
        for stage in self.down_stages:
            skip, x = stage(x, condition)
            saved.append(skip)
        return Trail(tuple(saved), x)

    def share(self, trail: Trail[S]) -> Trail[Any]:
        """Return the trail for many decodings that differ in masks of dropout alone, under one condition.

        The first decoding keeps in it, in place of fields, what is the same in all: of the bottleneck what comes before
        its dropout, and in a ``UNet`` what saved fields contribute to each level's first layer. With gradients, in
        training mode, and where a field has other readers, it stays as it is.
        """
        level, room = self.bottleneck, max(self.geometry.features(field).nbytes for field in trail.saved)
        if torch.is_grad_enabled() or self.training or type(level) is not Level or is_hooked(level):
            return trail
        # in the place of the finest field's product, which no longer lies beside the field
        bottom = LazyConcat(self.geometry, (Shared(self.geometry, trail.bottom, room),))
        return replace(trail, bottom=bottom)  # type: ignore[arg-type]

    @abstractmethod
    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        """Run the bottleneck, the way up and the head."""

    def forward(self, x: S, condition: Condition | None = None) -> S:
        """Map ``in_channels`` to ``out_channels`` on the same sites."""
        condition = self.read(condition)
        return self.decode(self.encode(x, condition), condition)

    @abstractmethod
    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """Return all supervised outputs; the first is ``forward``'s."""

    @abstractmethod
    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        """Take values (labels, targets, weights) from the input's sites to those of each of ``outputs``."""


class UNet(Encoder[S]):
    """U-Net on any geometry (Ronneberger et al. 2015, for grids; Gao & Ji 2019, for graphs).

    A condition that holds something which no block reads is refused with a ValueError.

    Args:
        geometry: makes the operators of the encoder: one for all levels, or one a level, finest first. That of a level
            also makes the ways to and from the next coarser one.
        in_channels, out_channels: channels of the input and of the output field.
        channels: channels by level, finest first; the last is the bottleneck's. At least two. A ``LevelSpec`` in place
            of a number says more of its level: numbers of blocks, and channels of the ways and of the decoder.
        strides: how much coarser each next level is, one entry a way down (``len(channels) - 1``); None: the geometry's
            default.
        skip: how encoder fields rejoin: ``Concat``, ``Add``, ``AttentionGate``, ``NoSkip``, or one's own; or a list of
            them, one for each level but the last, finest first.
        path_norm: normalise the two paths before or after they meet.
        fuse: a 1x1 map after the merge, to the channels of the decoder's blocks.
        decoder: makes the operators of the bottleneck and the way up (say, with dropout), one or one a level; the
            encoder's by default.
        gradient_checkpointing: recompute every block's activations in the backward pass: less memory, more time, the
            same gradients. Does not go with ``torch.compile``, which recomputes what it likes itself.
        deep_supervision: how many coarser decoder levels get a head of their own; see ``outputs``.
        embed: makes of noise levels, labels and words of a condition what blocks read; None: blocks read it as it is.
        head: maps the decoder's finest field to the output; None: an affine map of the channels, site by site. One that
            looks farther says how far by ``reach``, sites by axis.

    Raises:
        ValueError: when lists do not fit the number of levels, or a name is none of those known.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int | LevelSpec],
        *,
        strides: Sequence[Any] | None = None,
        skip: MakeSkip[S] | Sequence[MakeSkip[S]] = Concat,
        path_norm: PathNorm | None = None,
        fuse: bool = False,
        decoder: Geometries[S] | None = None,
        gradient_checkpointing: bool = False,
        deep_supervision: int = 0,
        embed: ConditionEmbedding | None = None,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__(
            *(geometry, in_channels, out_channels, channels),
            strides=strides,
            decoder=decoder,
            gradient_checkpointing=gradient_checkpointing,
            deep_supervision=deep_supervision,
            embed=embed,
        )
        self.ups, self.merges, self.decoder, self.deep_heads = (nn.ModuleList() for _ in range(4))
        count = len(self.downs)
        skips: list[MakeSkip[S]] = (
            per_level("skip", skip, count) if isinstance(skip, list | tuple) else [cast("MakeSkip[S]", skip)] * count
        )
        below = [level.out for level in self._levels[1:]]
        for i in reversed(range(len(self.downs))):
            level, one = self._levels[i], self._decoders[i]
            self.ups.append(one.make_up(below[i], level.up, self._steps[i]))
            merge = Merge(one, skips[i], level.up, level.channels, path_norm, level.out if fuse else None)
            self.merges.append(merge)
            self.decoder.append(self.make_level(one, merge.channels, level.out, level.out_blocks))
            if 0 < i <= deep_supervision:
                self.deep_heads.append(one.make_pointwise(level.out, out_channels))
        self.head = self._decoders[0].make_pointwise(self._levels[0].out, out_channels) if head is None else head

    @property
    def up_stages(self) -> list[UpStage[S]]:
        """The levels of the decoder, each with the way up to it and the merge with its skip, coarsest first."""
        return [UpStage(*parts) for parts in zip(self.ups, self.merges, self.decoder)]  # type: ignore[arg-type]

    def ascend(self, trail: Trail[S], condition: Condition | None = None) -> Iterator[S]:
        """Go up: run the bottleneck, then yield the decoder's fields, coarsest first, before any head."""
        condition = self.read(condition)
        x = self.bottleneck(trail.bottom, condition)
        for stage, skip in zip(self.up_stages, reversed(trail.saved)):
            x = stage(x, skip, condition)
            yield x

    def share(self, trail: Trail[S]) -> Trail[Any]:
        # a subclass that decodes in its own way may read what was saved
        if (type(self).decode, type(self).ascend) != (UNet.decode, UNet.ascend):
            return trail
        shared: Trail[Any] = super().share(trail)
        if torch.is_grad_enabled() or self.training:
            return shared
        saved = [stage.share(field) for stage, field in zip(self.up_stages, reversed(trail.saved))]
        return replace(shared, saved=tuple(reversed(saved)))

    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        for finest in self.ascend(trail, condition):
            x = finest
        output: S = self.head(x)
        return output

    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """Return ``forward``'s output, then one for each level of ``deep_supervision``, coarser and coarser.

        Dou et al. 2016; Lee et al. 2015 ("Deeply-supervised nets").
        """
        heads, condition = [*self.deep_heads, self.head], self.read(condition)
        fields = list(self.ascend(self.encode(x, condition), condition))[-len(heads) :]
        return tuple(head(field) for head, field in zip(heads, fields))[::-1]

    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        taken = [values]
        for geometry, step, (fine, coarse) in zip(self._decoders, self._steps, pairwise(outputs)):
            taken.append(geometry.sample(taken[-1], fine, coarse, step))
        return tuple(taken)


def _geometries(name: str, given: Geometries[S], count: int) -> list[Geometry[S]]:
    return [given] * count if isinstance(given, Geometry) else per_level(name, given, count)
