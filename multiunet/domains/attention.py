"""Settings of attention in networks on grids, and what they must fit. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from multiunet.domains.config import TrainConfig, option
from multiunet.errors import InputError

MOST_ATTENDED = 1024
"""Sites over which attention to all of them may run: 1,024 took 16 ms, 4,096 281 ms (4 heads of 32, two cores)."""


class AttentionTrain(TrainConfig):
    """Settings of attention behind the convolutions of a network's coarsest levels."""

    attention: Literal["none", "window", "full"] = option(
        "none",
        "attention behind the convolutions of the coarsest level: window: within windows of 8 sites, and shifted ones; "
        f"full: over all sites, at most {MOST_ATTENDED}",
        "Model",
    )
    attention_levels: int = option(
        1, "how many levels attend, the coarsest first; windows pay from 128 channels on", "Model", ge=1
    )
    attention_blocks: int = option(1, "blocks of attention of a level, one behind the other", "Model", ge=1)

    @model_validator(mode="after")
    def _attention_is_asked_for(self) -> Self:
        for name in ("attention_levels", "attention_blocks"):
            if self.attention == "none" and getattr(self, name) != 1:
                raise ValueError(f"`{name}` says how to attend; give `attention=window` or `attention=full`, too")
        return self


def check_attention(
    config: AttentionTrain,
    space: Sequence[int],
    strides: Sequence[Sequence[int]],
    setting: str,
    most: int = MOST_ATTENDED,
) -> None:
    """Check that a network with these strides can attend as the settings say.

    Args:
        space: sites of a training sample, by axis.
        strides: by way down, one number an axis.
        setting: what chooses the size of a sample, for the error.
        most: sites over which attention to all of them may run.

    Raises:
        InputError: for more levels than there are, or too many sites that look everywhere.
    """
    if config.attention == "none":
        return
    levels = len(strides) + 1
    if config.attention_levels > levels:
        raise InputError(f"`attention_levels={config.attention_levels}`: the network has {levels} levels; give as many")
    sites = list(space)
    for step in strides[: levels - config.attention_levels]:
        sites = [-(-size // by) for size, by in zip(sites, step)]
    if config.attention == "full" and math.prod(sites) > most:
        raise InputError(
            f"`attention=full`: of {' x '.join(map(str, space))} sites a sample, {math.prod(sites):,} are left on the "
            f"finest level that attends, more than {most:,}, and the work grows with their square; pass "
            f"`attention=window`, or a smaller `{setting}`, or more `widths`"
        )
