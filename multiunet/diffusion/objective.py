"""Losses of generators, whose weights come with the data.

They are means over sites, not over weights as those of predictions are, so that a loss does not depend on which levels
share a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from multiunet.losses import CrossEntropy
from multiunet.losses.sites import measured


class Denoising:
    """Weighted mean squares of what a network predicts of noisy data (``DiffusionData``).

    ``fit`` takes it as the task.
    """

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar: the mean of ``weight * (output - target)^2`` over all known values.

        Args:
            output, target: ``(N, C, *space)`` or ``(nodes, C)``; a target of NaN is unknown.
            weight: of each site, ``(N, *space)`` or ``(nodes,)``; 0: unknown.

        Raises:
            ValueError: when the shapes do not fit each other.
        """
        known = measured(output, target, weight)
        squares = known.weight * (known.output - known.target) ** 2
        return squares.sum() / (known.weight > 0).sum().clamp(min=1)


class Unmasking:
    """Weighted cross-entropy of the masked sites, for each site (``MaskedData``).

    Averaged over draws it bounds the negative log-likelihood of a site, in nats, from above (Sahoo et al. 2024, eq. 10;
    Shi et al. 2024, eq. 5); its exponential is the bound on the perplexity. ``fit`` takes it as the task.
    """

    def __init__(self) -> None:
        self.criterion = CrossEntropy()

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar: ``weight * surprise`` of masked sites, for each known site.

        Args:
            output: logits, ``(N, K, *space)`` or ``(nodes, K)``.
            target: class of each masked site, ``(N, *space)`` or ``(nodes,)``; -1 elsewhere.
            weight: of each site, in the shape of the target; 0: its class is unknown.

        Raises:
            ValueError: when the shapes do not fit each other, or a class is none of those that there are.
        """
        weights = torch.ones_like(target, dtype=torch.float32) if weight is None else weight
        masked = torch.where(target >= 0, weights, 0.0).sum()
        loss: Tensor = self.criterion(output, target, weight) * masked / (weights > 0).sum().clamp(min=1)
        return loss
