"""Tiles that new samples are made of, and what is said where they are other than training was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from multiunet.core.receptive_field import receptive_field
from multiunet.domains.remarks import remark
from multiunet.prediction.tiles import Tile, bound_sites, core_sides, tiles


@dataclass(frozen=True)
class Trained:
    """Sites that a generator learnt from at once.

    Attributes:
        space: sites by axis.
        setting: of training that says how many, in words.
        asked: setting of sampling that says how large a sample is.
    """

    space: tuple[int, ...]
    setting: str
    asked: str


def plan_tiles(
    net: nn.Module, space: Sequence[int], sites: int, side: int | None, trained: Trained | None = None
) -> list[Tile]:
    """Return the tiles of a sample; warn of seams, and of attention to more than in training.

    Args:
        sites: the most that a tile may have, its halo included.
        side: the largest side of a tile without its halo; None: as ``sites`` allow.
        trained: what the network learnt from at once; None: nothing is compared with it.
    """
    shape, seen = tuple(space), receptive_field(net)
    none = ((0, 0),) * len(shape)
    sides = core_sides(shape, seen, none, bound_sites(sites, seen)) if side is None else (side,) * len(shape)
    planned = tiles(shape, seen, none, sides)
    if seen.everywhere is not None:
        if trained is not None:
            _warn_of_attention(planned, seen.everywhere, trained)
    elif len(planned) > 1 and not seen.exact:
        remark(
            "the network has norms that look at all sites, so a sample made tile by tile has seams; allow larger "
            "tiles (`tile_size`, `memory`), or train with `normalization=layer`"
        )
    return planned


def _warn_of_attention(planned: Sequence[Tile], spacing: Sequence[int], trained: Trained) -> None:
    """Warn of tiles whose sites attend to each other alone, or which are more than training had."""
    learnt = _count_attending(trained.space, spacing)
    most = max(_count_attending([b - a for a, b in zip(tile.start, tile.stop)], spacing) for tile in planned)
    if len(planned) > 1:
        remark(
            f"the network attends to all sites, but a sample is made of {len(planned)} tiles, each of which attends to "
            f"its own sites, so it has seams; ask for a smaller `{trained.asked}`, or train with `attention=window`, "
            "whose tiles fit together"
        )
    if most > learnt:
        remark(
            f"{most:,} sites attend to each other at once, and in training these were {learnt:,}: whether samples are "
            f"good was never learnt; ask for a smaller `{trained.asked}`, or train with a larger `{trained.setting}`, "
            "or with `attention=window`"
        )


def _count_attending(space: Sequence[int], spacing: Sequence[int]) -> int:
    return math.prod(-(-n // step) for n, step in zip(space, spacing))
