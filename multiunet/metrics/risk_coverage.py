"""Risk by coverage: the mean loss of those sites that are answered, the surest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.ranking import Ranked

Values = NDArray[np.float64]

STEPS = 100
"""Parts into which curves divide the sites."""


def risk_at(ranked: Ranked, coverage: Values, kind: int = 0) -> Values:
    """Return the mean loss of the surest sites.

    Among sites of equal uncertainty, it is that of a random order.

    Args:
        ranked: losses by uncertainty.
        coverage: shares of the sites, above 0, ``(n,)``.

    Returns:
        ``(n,)``; empty without sites.
    """
    sites = np.concatenate([[0], np.cumsum(ranked.sites)])
    if sites[-1] == 0:
        return np.empty(0)
    losses = np.concatenate([[0.0], np.cumsum(ranked.losses[kind])])
    wanted = np.asarray(coverage, dtype=np.float64) * sites[-1]
    risk: Values = np.interp(wanted, sites, losses) / wanted
    return risk


def risk_coverage_curve(ranked: Ranked, kind: int = 0) -> tuple[Values, Values]:
    """Return coverages 0.01, 0.02, ..., 1 and the risk at each."""
    coverage = np.arange(1, STEPS + 1) / STEPS
    risk = risk_at(ranked, coverage, kind)
    return coverage[: len(risk)], risk


def aurc(ranked: Ranked, kind: int = 0) -> float | None:
    """Return the area under the risk-coverage curve, in units of the loss; None without sites.

    The mean over n = 1 ... N of the mean loss of the n surest sites (Geifman, Uziel & El-Yaniv 2019, "Bias-reduced
    uncertainty estimation for deep neural classifiers", eq. 3); ties are in random order.

    >>> aurc(Ranked(np.array([0.1, 0.2, 0.3]), np.array([1, 1, 1]), np.array([[0.0, 1.0, 0.0]])))  # (0 + 1/2 + 1/3) / 3
    0.2777...
    """
    total = int(ranked.sites.sum())
    if not total:
        return None
    after = np.cumsum(ranked.sites)
    before = after - ranked.sites
    # the site of rank j is in the means of n = j ... N, so its loss counts 1/j + ... + 1/N = H(N) - H(j - 1)
    weights = _harmonic(np.array([total])) - (_harmonic_sum(after) - _harmonic_sum(before)) / ranked.sites
    return float(weights @ ranked.losses[kind]) / total


def excess_aurc(ranked: Ranked, best: Ranked, kind: int = 0) -> float | None:
    """Return how far the area under the risk-coverage curve is above that of the best order.

    Geifman et al. 2019, section 3: E-AURC. None without sites, 0 where the uncertainty puts sites in the order of their
    losses.

    Args:
        best: the same sites by this loss itself; of losses of 0 and 1 see ``part_right_from_wrong``.
    """
    area, least = aurc(ranked, kind), aurc(best)
    return None if area is None or least is None else max(0.0, area - least)


def part_right_from_wrong(ranked: Ranked, kind: int = 0) -> Ranked:
    """Return sites whose losses are 0 or 1 in the best order: all of loss 0 before all of loss 1."""
    wrong = round(float(ranked.losses[kind].sum()))
    counts = np.array([int(ranked.sites.sum()) - wrong, wrong])
    there = counts > 0
    values = np.array([0.0, 1.0])
    return Ranked(values[there], counts[there], (values * counts)[None, there])


def _harmonic(n: NDArray[np.int64]) -> Values:
    """Harmonic numbers 1 + 1/2 + ... + 1/n; that of 0 is 0."""
    from scipy.special import digamma

    numbers: Values = digamma(n + 1.0) + np.euler_gamma
    return numbers


def _harmonic_sum(n: NDArray[np.int64]) -> Values:
    """Sums of the first n harmonic numbers, from that of 0: ``n (H(n) - 1)``."""
    sums: Values = n * (_harmonic(n) - 1.0)
    return sums
