"""Losses of class probabilities, site by site: cross-entropy, focal, and Dice with cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.losses.overlap import Dice
from multiunet.losses.sites import Kind, Labelled, Labelling, ratio, weighted_mean


class CrossEntropy(nn.Module):
    """Cross-entropy of multiclass, binary or multilabel targets.

    Over the classes (multiclass), or of inside and outside for each logit (binary, multilabel).

    Args:
        label_smoothing: in [0, 1): the share of the truth spread evenly over the classes, of which a single logit has
            two (Szegedy et al. 2016, "Rethinking the Inception Architecture", sec. 7).
        kind, ignore_index, class_weights: how targets name classes, see ``Labelling``. With class weights the mean is
            over sites weighted by their true class, as in ``torch.nn.CrossEntropyLoss``.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing {label_smoothing} is outside [0, 1)")
        self.label_smoothing = label_smoothing
        self.labelling = Labelling(kind, ignore_index, class_weights)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar in nats, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        return self.of(self.labelling(output, target, weight))

    def of(self, sites: Labelled) -> Tensor:
        """Return the loss of sites that are read already, for losses that combine several."""
        if sites.kind == "multiclass":
            surprise = functional.cross_entropy(
                sites.logits,
                sites.labels,
                weight=sites.class_weights,
                label_smoothing=self.label_smoothing,
                reduction="none",
            )
            return ratio((sites.weight.squeeze(1) * surprise).sum(), sites.balanced_weight().sum())
        smoothed = sites.labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        surprise = functional.binary_cross_entropy_with_logits(sites.logits, smoothed, reduction="none")
        return weighted_mean(surprise, sites.balanced_weight())


class Focal(nn.Module):
    """Focal loss, ``-alpha_t (1 - p_t)^gamma log p_t`` with p_t the probability of the truth.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4 and 5. ``gamma = 0`` is cross-entropy.

    Args:
        gamma: non-negative; how much easy sites are discounted.
        alpha: in [0, 1], for binary and multilabel: the weight of inside, with ``1 - alpha`` that of outside. Unlike
            class weights it scales the loss. For multiclass labels use ``class_weights``.
        kind, ignore_index, class_weights: as in ``CrossEntropy``.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma {gamma} must not be negative")
        if alpha is not None and kind == "multiclass":
            raise ValueError("alpha weighs inside against outside; for multiclass labels use class_weights")
        if alpha is not None and not 0.0 <= alpha <= 1.0:
            raise ValueError(f"alpha {alpha} is outside [0, 1]")
        self.gamma = gamma
        self.alpha = alpha
        self.labelling = Labelling(kind, ignore_index, class_weights)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar in nats, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        sites = self.labelling(output, target, weight)
        if sites.kind == "multiclass":
            log_p = -functional.cross_entropy(sites.logits, sites.labels, reduction="none").unsqueeze(1)
            # kept off 0, where a power below 1 has no derivative
            discount = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).eps) ** self.gamma
            return weighted_mean(-discount * log_p, sites.balanced_weight())
        inside, outside = (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)
        focal = inside * sites.labels * self._surprise(sites.logits)
        focal = focal + outside * (1 - sites.labels) * self._surprise(-sites.logits)
        return weighted_mean(focal, sites.balanced_weight())

    def _surprise(self, logit: Tensor) -> Tensor:
        # (1 - p)^gamma in logarithms: exact for confident logits, where 1 - sigmoid rounds to 0
        discount = torch.exp(self.gamma * functional.logsigmoid(-logit))
        return -discount * functional.logsigmoid(logit)


class DiceCE(nn.Module):
    """``dice_weight`` times the batch's ``Dice`` plus ``ce_weight`` times ``CrossEntropy``.

    Isensee et al. 2021, "nnU-Net", online methods: Dice sees rare classes, cross-entropy sees every site.

    Args:
        dice_weight, ce_weight: of the two losses; 0 leaves one out.
        kind, ignore_index, class_weights: of both losses, see ``Labelling``.
        label_smoothing: of the cross-entropy.
        per_sample, smooth: of the Dice.

    >>> output = torch.tensor([[[4.0, -4.0, 0.0]], [[-4.0, 4.0, 0.0]]]).transpose(0, 1)  # (1, 2 classes, 3 sites)
    >>> target = torch.tensor([[0, 1, -1]])  # the last site is unknown
    >>> round(DiceCE()(output, target).item(), 4)
    0.0007
    """

    def __init__(
        self,
        dice_weight: float = 1.0,
        ce_weight: float = 1.0,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        per_sample: bool = False,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__()
        if dice_weight < 0 or ce_weight < 0:
            raise ValueError(f"dice_weight {dice_weight} and ce_weight {ce_weight} must not be negative")
        self.dice_weight = dice_weight
        self.ce_weight = ce_weight
        self.dice = Dice(kind, ignore_index, class_weights, per_sample, smooth)
        self.cross_entropy = CrossEntropy(label_smoothing, kind, ignore_index, class_weights)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        sites = self.dice.labelling(output, target, weight)
        return self.dice_weight * self.dice.of(sites) + self.ce_weight * self.cross_entropy.of(sites)
