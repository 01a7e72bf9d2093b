"""Which class each site belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from multiunet.losses import DiceCE, Kind
from multiunet.tasks.task import Task


class Segmentation(Task):
    """Classes of sites.

    Args:
        classes: names, in the order of the class indices; ``binary`` has two: outside and inside.
        kind: ``multiclass`` (softmax), ``binary`` (one logit) or ``multilabel`` (independent logits).
        ignore_index: target value of sites that count neither in the loss nor in the scores.
        loss: of this kind; Dice + cross-entropy by default.

    The prediction's mean is the probability of each name; its aleatoric variance is that of a Bernoulli draw, p (1 - p)
    (Kwon et al. 2020, eq. 4, diagonal), so that epistemic + aleatoric = mean (1 - mean) exactly.

    Raises:
        ValueError: for fewer than two classes (one label), or more of ``binary``.
    """

    kind = "segmentation"

    def __init__(
        self,
        classes: Sequence[str],
        labels: Kind = "multiclass",
        ignore_index: int = -1,
        loss: nn.Module | None = None,
    ) -> None:
        fewest = 1 if labels == "multilabel" else 2
        if len(classes) < fewest:
            raise ValueError(f"classes {list(classes)}: {labels} segmentation needs at least {fewest}")
        if labels == "binary" and len(classes) > 2:
            raise ValueError(f"classes {list(classes)}: binary segmentation has two, outside and inside")
        self.names = tuple(classes)
        self.labels = labels
        self.channels = 1 if labels == "binary" else len(classes)
        self.ignore_index = ignore_index
        self.criterion = DiceCE(kind=labels, ignore_index=ignore_index) if loss is None else loss

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        value: Tensor = self.criterion(output, target, weight)
        return value

    def distribution(self, output: Tensor) -> tuple[Tensor, Tensor]:
        output = output.float()
        if self.labels == "multiclass":
            p = output.softmax(dim=1)
        elif self.labels == "binary":
            inside = output.sigmoid()
            p = torch.cat([1 - inside, inside], dim=1)
        else:
            p = output.sigmoid()
        return p, p * (1 - p)

    def decide(self, mean: Tensor) -> Tensor:
        return (mean > 0.5).to(torch.int64) if self.labels == "multilabel" else _largest(mean)


def _largest(mean: Tensor) -> Tensor:
    """The first channel of the largest value, ``(N, *space)``; on the CPU ten times as fast as ``argmax``."""
    chosen, most = torch.zeros_like(mean[:, 0], dtype=torch.int64), mean[:, 0]
    for channel in range(1, mean.shape[1]):
        more = mean[:, channel] > most
        chosen, most = chosen.masked_fill(more, channel), torch.maximum(most, mean[:, channel])
    return chosen
