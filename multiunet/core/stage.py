"""Stages of a U-Net: a level with the way to it or from it, with or without gradient checkpointing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from torch import nn

from multiunet.core.checkpointing import checkpoint_block, checkpoint_down, checkpoint_up
from multiunet.core.condition import Condition
from multiunet.core.lazy import LazyConcat, call_block
from multiunet.core.shared import Shared, is_hooked, reads_sites, sites_of
from multiunet.core.skip import Merge

S = TypeVar("S")


class Level(nn.Module, Generic[S]):
    """Blocks of one level, one after the other, with or without gradient checkpointing."""

    def __init__(self, blocks: Sequence[nn.Module], gradient_checkpointing: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.gradient_checkpointing = gradient_checkpointing

    def forward(self, x: S | LazyConcat[S], condition: Condition | None = None) -> S:
        call = checkpoint_block if self.gradient_checkpointing else call_block
        for block in self.blocks:
            x = call(block, x, condition)
        return cast("S", x)


@dataclass(frozen=True)
class DownStage(Generic[S]):
    """Level of the encoder and the way down from it.

    Stages are views and no modules: a network registers their operators by kind, in the order in which the norm of the
    gradient is summed.
    """

    level: nn.Module
    down: nn.Module

    def __call__(self, x: S, condition: Condition | None = None) -> tuple[S, S]:
        """Return the field that the skip carries across, and the coarser field."""
        skip: S = self.level(x, condition)
        return skip, checkpoint_down(self.down, skip) if _checkpoints(self.level) else self.down(skip)


@dataclass(frozen=True)
class UpStage(Generic[S]):
    """Way up to a level of the decoder, merge with its skip, and its blocks; see ``DownStage``."""

    up: nn.Module
    merge: Merge[S]
    level: nn.Module

    def __call__(self, x: S, skip: S | Shared[S], condition: Condition | None = None) -> S:
        """Return the level's field, on the sites of ``skip``."""
        if _checkpoints(self.level) and not is_hooked(self.level):
            return checkpoint_up(self.up, self.merge, cast("Any", self.level).blocks, x, skip, condition)
        result: S = self.level(self.merge(self.up(x, sites_of(skip)), skip), condition)
        return result

    def share(self, skip: S) -> S | Shared[S]:
        """Return the saved field for many decodings, shared where nothing but the level reads its features."""
        alone = reads_sites(self.up.forward) and self.merge.reads_skip_once and type(self.level) is Level
        hooked = is_hooked(self.up) or is_hooked(self.level)
        return Shared(self.merge.geometry, skip) if alone and not hooked else skip


def _checkpoints(level: nn.Module) -> bool:
    return bool(getattr(level, "gradient_checkpointing", False))
