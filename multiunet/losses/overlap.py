"""One minus the overlap of prediction and truth: Dice, Jaccard, Tversky.

With p the probability, g the truth and w the weight of a site, each class has TP = sum w p g, FP = sum w p (1 - g) and
FN = sum w (1 - p) g, summed over the whole batch unless ``per_sample`` is set; the loss is the mean over classes.

**Classes that are not there.** A class without a true site has TP = 0: its overlap is 0 for any prediction and teaches
nothing, so it is left out of the mean. What is predicted of it in vain still costs the classes that it displaces, and
cross-entropy counts it everywhere: train with ``DiceCE`` where whole batches can be empty. With no class left, the loss
is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from multiunet.losses.sites import Kind, Labelled, Labelling, weighted_mean


def tversky_loss(
    sites: Labelled, alpha: float, beta: float, smooth: float, per_sample: bool, squared: bool = False
) -> Tensor:
    """Return ``1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)``, the mean over present classes.

    ``squared`` takes sum w p^2 for TP + FP, and sum w g^2 for TP + FN.

    Raises:
        ValueError: when ``per_sample`` is set and the sites are a graph's.
    """
    space = tuple(range(2, sites.logits.ndim))
    if per_sample and not space:
        raise ValueError(f"per_sample needs a grid (N, C, *space); {tuple(sites.logits.shape)} is a graph's output")
    over = space if per_sample else (0, *space)
    p, g = sites.probabilities(), sites.truth()
    true_positive = (p * g * sites.weight).sum(over)
    predicted = ((p * p if squared else p) * sites.weight).sum(over)
    actual = ((g * g if squared else g) * sites.weight).sum(over)
    denominator = true_positive + alpha * (predicted - true_positive) + beta * (actual - true_positive)
    overlap = (true_positive + smooth) / (denominator + smooth)
    present = (actual > 0).to(overlap)
    # a binary output has one overlap, that of the inside: a weight has nothing to balance it against
    counted = present if sites.kind == "binary" else present * sites.class_weights
    return weighted_mean(1 - overlap, counted)


class Dice(nn.Module):
    """Soft Dice loss, ``1 - (2 TP + 2 smooth) / (2 TP + FP + FN + 2 smooth)`` for each class.

    Drozdzal et al. 2016, "The Importance of Skip Connections in Biomedical Image Segmentation": the Tversky index
    with alpha = beta = 1/2. With ``squared``, the sums p and g of its denominator become sums of p^2 and g^2, as in
    Milletari et al. 2016, "V-Net", sec. 3.

    Args:
        kind, ignore_index, class_weights: how targets name classes, see ``Labelling``; a class of weight 0 (say, the
            background) is left out. For binary labels the class weights change nothing.
        per_sample: one overlap for each sample of a grid instead of one for the batch.
        smooth: in sites; keeps the quotient finite.
        squared: square the sums of the denominator.
    """

    def __init__(
        self,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
        per_sample: bool = False,
        smooth: float = 1e-5,
        squared: bool = False,
    ) -> None:
        super().__init__()
        self.labelling = Labelling(kind, ignore_index, class_weights)
        self.per_sample = per_sample
        self.smooth = _positive(smooth)
        self.squared = squared

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        return self.of(self.labelling(output, target, weight))

    def of(self, sites: Labelled) -> Tensor:
        """Return the loss of sites that are read already, for losses that combine several."""
        return tversky_loss(sites, 0.5, 0.5, self.smooth, self.per_sample, self.squared)


class SoftJaccard(nn.Module):
    """Soft Jaccard (IoU) loss, ``1 - (TP + smooth) / (TP + FP + FN + smooth)`` for each class.

    Rahman & Wang 2016, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation".

    Args:
        kind, ignore_index, class_weights, per_sample, smooth: as in ``Dice``.
    """

    def __init__(
        self,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
        per_sample: bool = False,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__()
        self.labelling = Labelling(kind, ignore_index, class_weights)
        self.per_sample = per_sample
        self.smooth = _positive(smooth)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        return tversky_loss(self.labelling(output, target, weight), 1.0, 1.0, self.smooth, self.per_sample)


class Tversky(nn.Module):
    """Tversky loss, ``1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)`` for each class.

    Salehi et al. 2017, "Tversky loss function for image segmentation using 3D fully convolutional deep networks",
    eq. 3. ``beta > alpha`` punishes misses more than false alarms.

    Args:
        alpha, beta: non-negative prices of false positives and false negatives.
        kind, ignore_index, class_weights, per_sample, smooth: as in ``Dice``.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        kind: Kind = "multiclass",
        ignore_index: int | None = -1,
        class_weights: Sequence[float] | None = None,
        per_sample: bool = False,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__()
        if alpha < 0 or beta < 0:
            raise ValueError(f"alpha {alpha} and beta {beta} must not be negative")
        self.alpha = alpha
        self.beta = beta
        self.labelling = Labelling(kind, ignore_index, class_weights)
        self.per_sample = per_sample
        self.smooth = _positive(smooth)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, of logits ``(N, C, *space)`` or ``(nodes, C)``.

        Raises:
            ValueError: as ``Labelling`` does.
        """
        return tversky_loss(self.labelling(output, target, weight), self.alpha, self.beta, self.smooth, self.per_sample)


def _positive(smooth: float) -> float:
    if not smooth > 0:
        raise ValueError(f"smooth {smooth} must be positive: without it an empty class is 0 / 0")
    return smooth
