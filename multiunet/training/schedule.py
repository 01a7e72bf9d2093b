"""Learning rates as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

from multiunet.training.recipe import ScheduleName

Schedule = Callable[[int], float]
"""Function from the step, from 0, to a factor of the peak learning rate."""


def schedule(name: ScheduleName, steps: int, warmup: float = 0.0) -> Schedule:
    """Return a linear warm-up over a share of ``steps``, then a decay to 0 at ``steps``.

    ``cosine``: half a period (Loshchilov & Hutter 2017, without restarts). ``poly``: ``(1 - t)^0.9`` (Chen et al. 2017,
    the rate of nnU-Net). ``constant``: none.
    """
    warm = round(warmup * steps)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / (warm + 1)
        t = min(1.0, (step - warm) / max(1, steps - warm))
        if name == "cosine":
            return 0.5 * (1 + math.cos(math.pi * t))
        return float((1 - t) ** 0.9) if name == "poly" else 1.0

    return factor
