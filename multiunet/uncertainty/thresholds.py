"""Thresholds of rare classes, from which probability on a site is of one; learnt on held-out sites."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FEWEST = 30
"""Held-out sites of a class below which they say nothing on its threshold."""

LEAST = 0.01
"""Least threshold: of a class that is never more likely than this share of another nothing is seen."""


def fit_thresholds(probabilities: Tensor, target: Tensor, rare: Sequence[int]) -> dict[int, float]:
    """Return the threshold of each rare class at which its IoU is largest.

    Classes whose threshold would not raise it have none.

    A site is decided for a class whose probability is the threshold times that of the likeliest other one or more. At
    the threshold 1 this is the likeliest class, which a rare one may never be: its IoU, like its Dice score, is
    largest where half of that score is the least probability (Lipton et al. 2014, "Optimal Thresholding of Classifiers
    to Maximize F1 Measure").

    Args:
        probabilities: ``(sites, classes)``.
        target: class of each site, ``(sites,)``.
        rare: classes that get one; others keep 1.
    """
    found: dict[int, float] = {}
    for own in rare:
        true = target == own
        if int(true.sum()) < FEWEST:
            continue
        others = probabilities.double().clone()
        others[:, own] = 0
        for known, threshold in found.items():
            others[:, known] /= threshold
        ratio = probabilities[:, own].double() / others.max(dim=1).values.clamp_min(torch.finfo(torch.float64).tiny)
        best, score = _best_cut(ratio, true)
        if score > _iou(ratio >= 1, true):
            found[own] = best
    return found


def fit_label_thresholds(probabilities: Tensor, target: Tensor) -> dict[int, float]:
    """Return the threshold of each independent label at which its IoU, and so its Dice score, is largest.

    It is of the odds ``p / (1 - p)``: the only other class of a label is that a site has it not. Labels whose threshold
    would not raise the score have none; they are there where ``p > 1/2``.

    Args:
        probabilities: ``(sites, labels)``.
        target: 1 where a site has the label, 0 where not, NaN where that is not known; ``(sites, labels)``.
    """
    found: dict[int, float] = {}
    for own, (p, told) in enumerate(zip(probabilities.double().T, target.T)):
        known = ~told.isnan()
        true, p = told[known] > 0.5, p[known]
        if int(true.sum()) < FEWEST:
            continue
        odds = p / (1 - p).clamp_min(torch.finfo(torch.float64).tiny)
        best, score = _best_cut(odds, true)
        if score > _iou(odds > 1, true):
            found[own] = best
    return found


def _best_cut(ratio: Tensor, true: Tensor) -> tuple[float, float]:
    """Return the threshold of the ratio at which the IoU is largest, and this IoU."""
    row = ratio.argsort(descending=True)
    ordered, hits = ratio[row].clamp(LEAST / 2, 2 / LEAST), true[row].double().cumsum(0)
    count = torch.arange(1, len(row) + 1, dtype=torch.float64)
    iou = hits / (count + hits[-1] - hits)
    following = torch.cat([ordered[1:], ordered.new_tensor([LEAST / 2])])
    cut = (ordered * following).sqrt()  # in the middle between two sites
    # sites of one ratio are decided alike
    possible = (ordered > following) & (cut >= LEAST) & (cut <= 1 / LEAST)
    if not possible.any():
        return 1.0, 0.0
    best = int(iou.where(possible, -1.0).argmax())
    return float(cut[best]), float(iou[best])


def _iou(decided: Tensor, true: Tensor) -> float:
    return float((decided & true).sum()) / max(1, int((decided | true).sum()))
