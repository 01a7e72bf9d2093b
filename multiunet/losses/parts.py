"""Loss of things that have parts, and are of several classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from multiunet.losses.classification import CrossEntropy
from multiunet.losses.sites import at_least_float32

IGNORED = -1


class PartsAndClasses(nn.Module):
    """Loss of the parts of things (inside, boundary), plus cross-entropy of the things' classes.

    One softmax tells parts and classes apart: logit 0 is outside, logit ``1 + part * K + class`` a part of a thing of
    one of K classes. Summed over the classes its probabilities are those of the parts, which ``parts`` judges; summed
    over the parts they are those of the classes, judged on the sites of things alone.

    Args:
        parts: loss of outside and the parts, unknown sites -1.
        classes: K.
    """

    def __init__(self, parts: nn.Module, classes: int) -> None:
        super().__init__()
        self.parts, self.count = parts, classes
        self.classes = CrossEntropy(ignore_index=IGNORED)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            output: logits, ``(N, 1 + parts * K, *space)``.
            target: labels, ``(N, *space)``; -1 where nothing is known, ``-2 - part`` where the class is not.
            weight: of the sites, ``(N, *space)``.
        """
        output = at_least_float32(output)
        inner = output[:, 1:].unflatten(1, (-1, self.count))
        of_parts = torch.cat([output[:, :1], inner.logsumexp(dim=2)], dim=1)
        known, nothing = target > 0, torch.full_like(target, IGNORED)
        bare = torch.where(target < IGNORED, IGNORED - target, target)  # of an object without a class
        part = torch.where(known, (target - 1) // self.count + 1, bare)
        loss: Tensor = self.parts(of_parts, part, weight)
        of_class = torch.where(known, (target - 1) % self.count, nothing)
        found: Tensor = loss + self.classes(inner.logsumexp(dim=1), of_class, weight)
        return found
