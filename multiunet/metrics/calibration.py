"""Whether stated probabilities come true."""

from __future__ import annotations

import numpy as np

from multiunet.metrics.values import ArrayLike, as_array, as_classes


def expected_calibration_error(
    probabilities: ArrayLike, target: ArrayLike, bins: int = 15, ignore_index: int | None = -1
) -> float | None:
    """Mean over sites of ``|accuracy - confidence|`` of the site's bin, in [0, 1]; None where no site counts.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3: the confidence is the largest probability, and
    bin m of M holds the confidences in ((m - 1) / M, m / M]. So the last one holds 1.0, which torchmetrics 1.9 puts
    in a bin of its own.

    Args:
        probabilities: ``(..., K)``, each in [0, 1].
        target: integers 0..K-1, ``(...)``.
        bins: M, of equal width.
        ignore_index: target of sites that do not count.

    Raises:
        ValueError: when the shapes do not fit, a probability is outside [0, 1], or a target outside the classes.

    >>> expected_calibration_error(np.array([[1.0, 0.0], [0.1, 0.9]]), np.array([0, 0]))
    0.45
    """
    if probabilities.ndim == 0 or tuple(probabilities.shape[:-1]) != tuple(target.shape):
        shapes = f"probabilities {tuple(probabilities.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"{shapes} do not fit: expected (..., K) and (...)")
    if bins < 1:
        raise ValueError(f"bins {bins}: at least 1 is needed")
    classes = probabilities.shape[-1]
    p = as_array(probabilities).astype(np.float64).reshape(-1, classes)
    truth = as_classes(target, "targets")
    if ignore_index is not None:
        p, truth = p[truth != ignore_index], truth[truth != ignore_index]
    if not truth.size:
        return None
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"probabilities from {p.min():g} to {p.max():g} are not within [0, 1]: apply softmax first")
    outside = truth[(truth < 0) | (truth >= classes)]
    if outside.size:
        raise ValueError(f"target class {outside[0]} is outside the {classes} classes 0..{classes - 1}")
    confidence = p.max(axis=1)
    surplus = (p.argmax(axis=1) == truth) - confidence
    inner_edges = np.arange(1, bins) / bins
    bin_of_site = np.searchsorted(inner_edges, confidence, side="left")
    return float(np.abs(np.bincount(bin_of_site, weights=surplus)).sum() / truth.size)
