"""Order of the epochs of a training by their validation scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from multiunet.errors import Diverged
from multiunet.training.state import Rank


def rank_scores(scores: Mapping[str, Any], monitor: str | None, epoch: int) -> Rank:
    """Return the score and minus the loss, which compare as networks do; what is undefined is the worst.

    Args:
        monitor: the score that chooses; None: the loss alone.
        epoch: from 0, for the error.

    Raises:
        Diverged: when one of them is not finite.
    """
    score = 0.0 if monitor is None else scores[monitor]
    loss = scores["loss"]
    if score is None and loss is not None and math.isnan(loss):
        loss = None  # the mean over nothing
    for name, value in ((monitor, score), ("loss", loss)):
        if value is not None and not math.isfinite(value):
            raise Diverged(
                f"validation {name} is {value} in epoch {epoch + 1}; lower the learning rate (`lr`), or look at the "
                "validation data for extreme values"
            )
    return -math.inf if score is None else float(score), -math.inf if loss is None else -float(loss)
