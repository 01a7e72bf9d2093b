"""Blocks in a row, which count as one block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor, nn

from multiunet.core import Condition, LazyConcat, reads_lazy_concat
from multiunet.core.checkpointing import stages_of
from multiunet.core.lazy import call_block
from multiunet.core.receptive_field import Locality, Sites, read_locality
from multiunet.geometries.grid.layers import Layers
from multiunet.geometries.grid.parts import Block


@dataclass(frozen=True, init=False, repr=False)
class InTurn(Block):
    """Blocks one after the other, such as ``InTurn(Conv(residual=True), Attention(heads=4))``.

    The first of them brings the channels that enter to those that leave; the others keep them. What they say of how far
    they look adds up, and each reads the parts of the condition that it knows.

    Args:
        blocks: at least one, in the order in which they run.

    Raises:
        ValueError: without a block.
        TypeError: when one of them is no ``Block``, such as its name.
    """

    blocks: tuple[Block, ...]

    def __init__(self, *blocks: Block) -> None:
        object.__setattr__(self, "blocks", blocks)
        if not blocks:
            raise ValueError("InTurn() has no block; give at least one, such as InTurn(Conv(), Attention())")
        for block in blocks:
            if not isinstance(block, Block):
                raise TypeError(f"{block!r} of InTurn is not a Block; give a part, such as Conv(kernel=3)")

    def __repr__(self) -> str:
        return f"InTurn({', '.join(map(repr, self.blocks))})"

    def check(self, layers: Layers) -> None:
        for block in self.blocks:
            block.check(layers)

    def example_condition(self, seed: int) -> Condition | None:
        made = [block.example_condition(seed) for block in self.blocks]
        told = [condition for condition in made if condition is not None]
        if not told:
            return None
        joined = told[-1]
        # of what several make, the first one's
        for condition in reversed(told[:-1]):
            joined = replace(joined, **{name: part for name, part in vars(condition).items() if part is not None})
        return joined

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        entering = [in_channels, *[out_channels] * (len(self.blocks) - 1)]
        built = [block.build(layers, channels, out_channels) for block, channels in zip(self.blocks, entering)]
        return BlocksInTurn(built, layers.ndim)


def put_behind(block: Block, others: Sequence[Block], levels: int) -> list[Block]:
    """Return the block of each level, finest first: the last ones with one of ``others`` behind ``block``.

    Raises:
        ValueError: when there are more of them than levels.
    """
    if len(others) > levels:
        raise ValueError(f"{len(others)} blocks are given for {levels} levels; give one a level at most")
    return [*[block] * (levels - len(others)), *(InTurn(block, other) for other in others)]


class BlocksInTurn(nn.Module):
    """Module of ``InTurn``.

    Attributes:
        reach: how many sites away an output site looks, by axis: the sum of the blocks'.
        period: of windows, by axis: the least common multiple of the blocks'.
        is_global: True where one of the blocks looks everywhere.
    """

    def __init__(self, blocks: Sequence[nn.Module], ndim: int) -> None:
        super().__init__()
        self.blocks, self.ndim = nn.ModuleList(blocks), ndim

    @property
    def _localities(self) -> list[Locality]:
        return [read_locality(block, self.ndim) for block in self.blocks]

    @property
    def is_global(self) -> bool:
        return any(locality.is_global for locality in self._localities)

    @property
    def reach(self) -> Sites:
        return tuple(map(sum, zip(*(locality.reach for locality in self._localities))))

    @property
    def period(self) -> Sites:
        return tuple(map(math.lcm, *(locality.period for locality in self._localities)))

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        for block in self.blocks:
            x = call_block(block, x, condition)
        return cast("Tensor", x)

    def stages(self) -> list[nn.Module]:
        """Return the stages of the blocks, one block's after the other's."""
        return [stage for block in self.blocks for stage in stages_of(block)]
