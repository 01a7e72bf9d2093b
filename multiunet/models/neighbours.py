"""Mean of the neighbours of each site, without the site itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad


def average_neighbours(x: Tensor, deviation: float) -> Tensor:
    """Return at each site the mean of its neighbours, without itself, ``(N, C, *space)``.

    Neighbours count by a Gaussian of their distance. Where the field ends, those inside count.
    A site without neighbours has 0.

    Args:
        x: ``(N, C, *space)``.
        deviation: of the Gaussian, sites.
    """
    reach = reach_of(deviation)
    weights = [math.exp(-0.5 * (step / deviation) ** 2) for step in range(-reach, reach + 1)]
    total, weight = x, torch.ones_like(x[:1, :1])
    for axis in range(2, x.ndim):
        total, weight = (_blur(part, weights, axis) for part in (total, weight))
    # the site itself has weight 1 in each axis, so in all of them
    return (total - x) / (weight - 1).clamp(min=torch.finfo(x.dtype).tiny)


def reach_of(deviation: float) -> int:
    """Return how many sites away ``average_neighbours`` looks, along an axis."""
    return max(1, math.ceil(3 * deviation))


def _blur(x: Tensor, weights: Sequence[float], axis: int) -> Tensor:
    """Return sums over sites along an axis, by the weights of their steps."""
    reach, sites = len(weights) // 2, x.shape[axis]
    padded = pad(x, [0, 0] * (x.ndim - 1 - axis) + [reach, reach])
    total = x  # whose own weight is 1
    for step, weight in enumerate(weights):
        if step != reach:
            total = total + weight * padded.narrow(axis, step, sites)
    return total
