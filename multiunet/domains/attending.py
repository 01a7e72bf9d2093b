"""Blocks of attention as settings describe them."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.attention import AttentionTrain
from multiunet.geometries.grid.in_turn import InTurn
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.positions import Relative
from multiunet.geometries.grid.transformer import Transformer, count_heads
from multiunet.geometries.grid.window import Window

HEAD = 32
"""Channels of a head, where the channels of a level allow it."""


def make_attention(config: AttentionTrain, channels: Sequence[int]) -> list[Block]:
    """Make a block for each level that attends, finest first, the last the bottleneck's.

    Dropout is in the bottleneck's alone, so that Monte-Carlo samples share one pass of the encoder.

    Args:
        channels: of all levels, finest first.
    """
    if config.attention == "none":
        return []
    attending = list(channels)[-config.attention_levels :]
    rates = [*[0.0] * (len(attending) - 1), config.dropout]
    return [_make_block(config, count_heads(width, HEAD), rate) for width, rate in zip(attending, rates)]


def _make_block(config: AttentionTrain, heads: int, dropout: float) -> Block:
    one: list[Block]
    if config.attention == "window":
        one = [Window(heads=heads, shifted=shifted, dropout=dropout) for shifted in (False, True)]
    else:
        # scores learnt by distance: sites farther apart than in training count as those farthest apart there
        one = [Transformer(heads, Relative(), dropout=dropout)]
    return InTurn(*one * config.attention_blocks)
