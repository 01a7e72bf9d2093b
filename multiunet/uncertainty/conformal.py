"""Conformal prediction: scores, their quantiles over groups, and the sets and intervals they make.

A score says how ill an outcome fits a prediction. With the quantile of the scores of held-out outcomes as the limit,
the outcomes that fit well enough make a set (of classes) or an interval (of a quantity) that holds the truth as often
as its level says, whatever the network is like. Marginally: over sites of new groups, not at each site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SetMethod = Literal["lac", "aps", "daps"]
"""Score that sets of classes are made of."""

DIFFUSION = 0.5
"""Share of the neighbours' scores in ``daps``."""

ROUNDING = 1e-9
"""Level times mass is taken as the number that it rounds to: 0.95 * 20 is the nineteenth score."""


def score_lac(probabilities: Tensor) -> Tensor:
    """Return ``1 - p`` of each class, which makes sets of the least expected size.

    Sadinle et al. 2019, "Least ambiguous set-valued classifiers with bounded error levels".

    Args:
        probabilities: classes on axis 1, ``(N, classes, *space)`` or ``(rows, classes)``; so is the result.
    """
    return 1 - probabilities


def score_aps(probabilities: Tensor) -> Tensor:
    """Return the probability of all classes before each, the most probable first: adaptive sets.

    Romano et al. 2020, "Classification with valid and adaptive coverage", without its random ``u``: a class is in the
    set if those before it do not suffice. A set is larger where the network is less sure, and never empty. The
    random ``u`` would cut sets down to exactly the level, by noise: sites of equal probabilities would have different
    sets, and a map would be speckled. Without it sets hold the truth more often than the level where the most probable
    class alone does.

    Args:
        probabilities: classes on axis 1, ``(N, classes, *space)`` or ``(rows, classes)``; so is the result. Of equal
            classes the first comes first.
    """
    ordered, order = probabilities.sort(dim=1, descending=True, stable=True)
    before = ordered.cumsum(dim=1) - ordered
    before[:, 0] = 0  # not what rounding leaves of p - p
    return torch.empty_like(before).scatter_(1, order, before.clamp_(min=0))


def diffuse(scores: Tensor, edge_index: Tensor, share: float = DIFFUSION) -> Tensor:
    """Return the scores of nodes mixed with their neighbours' mean: of those of ``score_aps``, ``daps``.

    Zargarbashi et al. 2023, "Conformal prediction sets for graph neural networks": where neighbours tend to have one
    class, sets become smaller. Scores of all nodes are used, and no label, so nodes stay exchangeable. A node without
    neighbours keeps its own scores.

    Args:
        scores: ``(nodes, classes)``; so is the result.
        edge_index: source and target of each edge, ``(2, edges)``; edges from a node to itself do not count.
        share: of the neighbours, in [0, 1].

    Raises:
        ValueError: for a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share:g} of the neighbours' scores is outside [0, 1]")
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    total = torch.zeros_like(scores).index_add_(0, target, scores[source])
    degree = torch.bincount(target, minlength=len(scores))[:, None]
    mixed = (1 - share) * scores + share * total / degree.clamp(min=1)
    return torch.where(degree > 0, mixed, scores)


def score_classes(method: SetMethod, probabilities: Tensor, edge_index: Tensor | None = None) -> Tensor:
    """Return the scores of all classes by one method, as ``probabilities`` are.

    Args:
        probabilities: classes on axis 1, ``(N, classes, *space)`` or ``(rows, classes)``.
        edge_index: of ``daps`` the edges between the rows, ``(2, edges)``.

    Raises:
        ValueError: for a method that is not known, or ``daps`` without edges.
    """
    if method == "daps":
        if edge_index is None:
            raise ValueError("method 'daps' mixes the scores of neighbours; give edge_index, or choose 'lac' or 'aps'")
        return diffuse(score_aps(probabilities), edge_index)
    if method not in _SCORES:
        raise ValueError(f"method {method!r} is none of lac, aps, daps")
    return _SCORES[method](probabilities)


_SCORES: Mapping[str, Callable[[Tensor], Tensor]] = {"lac": score_lac, "aps": score_aps}


def pick_true(scores: Tensor, target: Tensor) -> Tensor:
    """Return each site's score of its true class, ``(N, *space)`` or ``(rows,)``.

    Args:
        scores: classes on axis 1.
        target: true class of each site, of the result's shape; where it is not a class (ignored sites), the result is
            NaN.
    """
    known = (target >= 0) & (target < scores.shape[1])
    found = scores.gather(1, target.where(known, 0)[:, None])[:, 0]
    return found.where(known, float("nan"))


def score_quantities(mean: Tensor, total: Tensor, target: Tensor) -> Tensor:
    """Return ``|target - mean| / sqrt(total)``, the error in stated deviations.

    Lei et al. 2018, "Distribution-free predictive inference for regression", locally weighted scores.

    Args:
        mean, total, target: of one shape, which is the result's; a target of NaN has the score NaN.
    """
    error = (target - mean).abs()
    # no deviation: an error is infinitely many of them, none is none
    return torch.where(error == 0, error, error / total.sqrt())


@dataclass(frozen=True)
class Quantile:
    """Limit of scores, and whether it is more than an estimate.

    Attributes:
        value: a score of a new group is at most this with the probability of the level.
        guaranteed: True where there are groups enough for the level, however alike their sites are: ``level <= K / (K +
            1)``. Then it holds for any distribution if each group has one site; of more sites, as far as their
            correlation is known. False: new groups pass the value somewhat more often.
    """

    value: float
    guaranteed: bool


def quantile(scores_by_group: Sequence[Tensor | NDArray[np.floating]], level: float) -> Quantile:
    """Return the conformal quantile of scores over groups, as ``quantiles`` do of several levels.

    Args:
        scores_by_group, level: see ``quantiles``.

    >>> quantile([np.array([score]) for score in (5.0, 1.0, 2.0, 4.0, 3.0)], 0.5)  # 3 of 5 + 1
    Quantile(value=3.0, guaranteed=True)
    """
    return quantiles(scores_by_group, [level])[level]


def quantiles(
    scores_by_group: Sequence[Tensor | NDArray[np.floating]], levels: Sequence[float]
) -> dict[float, Quantile]:
    """Return conformal quantiles by level: groups count alike, sites of one share its weight.

    What is exchangeable is groups (images, chromosomes, graphs), never the sites of one. The quantile is the smallest
    value up to which ``level K (1 + 1 / n)`` of the mass of K groups lies, where n is the effective number of sites,
    ``K m / (1 + (m - 1) r)``: m sites a group, whose being above the level's share of scores has the correlation r
    within a group (Kish 1965, "Survey Sampling", 5.4). Both ends are known methods:

    - One site a group, or sites that are all alike (n = K): split conformal prediction, the ``ceil((K + 1) level)``-th
      smallest score of the groups. Where sites differ, as they do, its hierarchical form (Lee, Barber & Willett 2023,
      "Distribution-free inference with hierarchical data") stands for the worst case, and covers up to ``level / K``
      too much: with thirteen chromosomes 0.97 in place of 0.9, with four images everything in place of 0.8.
    - Sites of a group that are independent (n large): the pooled distribution of Dunn et al. 2023, "Distribution-free
      prediction sets for two-layer hierarchical models".

    Args:
        scores_by_group: of each group the scores of its sites, any shape, flattened. NaN does not count, and a group of
            NaN alone is none.
        levels: probabilities of a new score up to the quantile, each in (0, 1).

    Raises:
        ValueError: for a level outside (0, 1), or fewer than two groups: one says nothing on how groups differ.
    """
    if (wrong := next((level for level in levels if not 0 < level < 1), None)) is not None:
        raise ValueError(f"level {wrong:g} is outside (0, 1)")
    flat = [np.asarray(scores).ravel() for scores in scores_by_group]
    groups = [kept for scores in flat if (kept := scores[~np.isnan(scores)]).size]
    count = len(groups)
    if count < 2:
        raise ValueError(
            f"{count} group{'' if count == 1 else 's'} of scores: conformal quantiles need two or more groups (images, "
            "chromosomes, graphs); one does not say how groups differ"
        )
    scores = np.concatenate(groups)
    order = np.argsort(scores, kind="stable")
    mass = np.concatenate([np.full(group.size, 1 / group.size) for group in groups])[order].cumsum()  # in groups

    def find(needed: float) -> float:
        """Return the smallest score up to which so many groups' mass lies."""
        return float(scores[order[min(int(np.searchsorted(mass, needed - ROUNDING)), len(order) - 1)]])

    found: dict[float, Quantile] = {}
    least = -np.inf
    for level in sorted(levels):
        pooled = find(level * count)
        effective = _effective_sites(groups, pooled)
        least = max(least, find(min(level * count * (1 + 1 / effective), count)))
        found[level] = Quantile(least, level * (count + 1) <= count + ROUNDING)
    return found


def _effective_sites(groups: Sequence[NDArray[np.floating]], limit: float) -> float:
    """Return how many independent sites tell as much on the share of scores up to a limit as the groups do."""
    count, sites = len(groups), np.array([group.size for group in groups])
    shares = np.array([np.mean(group <= limit) for group in groups])
    typical = float(count / np.sum(1 / sites))  # harmonic: groups count alike
    one = float(shares.mean() * (1 - shares.mean()))  # variance of one site
    if typical <= 1 or one <= 0:
        return float(count)
    alike = (float(shares.var(ddof=1)) - one / typical) / (one * (1 - 1 / typical))
    return count * typical / (1 + (typical - 1) * min(max(alike, 0.0), 1.0))


def make_sets(scores: Tensor, limit: float, probabilities: Tensor) -> Tensor:
    """Return which classes are in each site's set, bool, as ``scores``.

    The most probable class is in each set: a set that is empty because all classes fit ill would say less than nothing,
    and one more class cannot make a set miss the truth.

    Args:
        scores, probabilities: classes on axis 1, ``(N, classes, *space)`` or ``(rows, classes)``.
        limit: of the scores.
    """
    return (scores <= limit) | (probabilities == probabilities.amax(dim=1, keepdim=True))


def make_label_sets(probabilities: Tensor, limits: Sequence[float]) -> Tensor:
    """Return which labels are in each site's set, each by itself, bool, as ``probabilities``.

    Labels do not exclude each other, so each has a limit of its own, that of ``1 - p`` over the sites that have the
    label: where a site has it, it is in the set with the probability of the level. A set may be empty.

    Args:
        probabilities: labels on axis 1, ``(N, labels, *space)`` or ``(rows, labels)``.
        limits: of each label.

    Raises:
        ValueError: when the limits are not one a label.
    """
    return score_lac(probabilities) <= _on_axis_1(limits, probabilities)


def make_interval(mean: Tensor, total: Tensor, multipliers: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper end, ``mean -+ multiplier sqrt(total)``, each as ``mean``.

    Args:
        mean, total: quantities on axis 1, ``(N, quantities, *space)`` or ``(rows, quantities)``.
        multipliers: half width of each quantity's interval in stated deviations.

    Raises:
        ValueError: when the multipliers are not one a quantity.
    """
    half = _on_axis_1(multipliers, mean) * total.sqrt()
    return mean - half, mean + half


def _on_axis_1(values: Sequence[float], like: Tensor) -> Tensor:
    if len(values) != like.shape[1]:
        raise ValueError(f"{len(values)} limits for {like.shape[1]} channels; give one for each")
    shape = (1, len(values), *[1] * (like.ndim - 2))
    return torch.tensor(list(values), dtype=like.dtype, device=like.device).view(shape)
