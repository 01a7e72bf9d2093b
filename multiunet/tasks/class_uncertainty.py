"""Judgement of the uncertainty of classes: are probabilities true, and do uncertain sites err more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.metrics import (
    Ranked,
    Ranking,
    Reliability,
    SetCounts,
    Sparsification,
    aurc,
    excess_aurc,
    part_right_from_wrong,
    risk_coverage_curve,
    sparsify,
)
from multiunet.tasks.curves import Curves
from multiunet.tasks.score import Scores, first_largest
from multiunet.uncertainty import LEVELS, Calibration, ClassCalibration, Moments
from multiunet.uncertainty.conformal import SetMethod, make_sets, score_classes

SETS: SetMethod = "lac"
"""Method of the sets whose scores have no suffix: those of the least expected size."""

WITHIN: tuple[SetMethod, ...] = ("lac", "aps")
"""Methods of sets that look at nothing but the site."""

UNCERTAINTIES = ("total", "epistemic", "aleatoric", "max_probability", "entropy")
"""What sites are ranked by: variances summed over classes, 1 - the largest probability, and the entropy (nats)."""


class ClassUncertainty:
    """Judges probabilities and variances of classes, piece by piece, in bounded memory (see ``Ranking``).

    Args:
        ignore_index: target of sites that do not count.
        calibration: of the predictions, whose sets are scored; None: they have none.
    """

    def __init__(self, ignore_index: int, calibration: Calibration | None = None) -> None:
        self.ignore_index = ignore_index
        self._limits = {method: _set_limits(calibration, method) for method in get_args(SetMethod)}
        self._reliability = Reliability(ignore_index=None)
        self._rankings = {name: Ranking(kinds=2 if name == "total" else 1) for name in UNCERTAINTIES}
        self._brier = Ranking()
        self._sets = {method: SetCounts(LEVELS) for method in self._limits}
        self._total = 0.0
        self._sites = self._wrong = 0
        self._stated = False

    def add(self, moments: Moments[Tensor], target: Tensor) -> None:
        """Add sites.

        Args:
            moments: of classes, ``(N, classes, *space)`` or ``(rows, classes)``.
            target: true classes, ``(N, *space)`` or ``(rows,)``.
        """
        self._stated = True
        truth = target.detach().cpu().reshape(-1).to(torch.int64)
        known = truth != self.ignore_index
        flat = moments.map(lambda part: _flatten(part, known))
        truth = truth[known]
        if not len(truth):
            return
        p = flat.mean.clamp(0, 1)
        self._reliability.update(flat.mean.T, truth)
        chosen = first_largest(p[None])[0]
        wrong = (chosen != truth).float()
        brier = (p.square().sum(dim=0) + 1 - 2 * p.gather(0, truth[None])[0]).clamp_min(0)
        for name, values in _rank_by(flat, p, chosen).items():
            self._rankings[name].add(values.clamp_min(0), [wrong, brier] if name == "total" else [wrong])
        self._brier.add(brier, [brier])
        self._total += float(flat.total.sum(dtype=torch.float64))
        self._sites, self._wrong = self._sites + len(truth), self._wrong + int(wrong.sum())
        for method in WITHIN:
            if self._limits[method]:
                self._count(method, score_classes(method, p[None])[0], p, truth)

    def add_sets(self, moments: Moments[Tensor], target: Tensor, scores: Mapping[SetMethod, Tensor]) -> None:
        """Add the sets of sites by methods that look beyond a site; see ``Score.add_sets``."""
        truth = target.detach().cpu().reshape(-1).to(torch.int64)
        known = truth != self.ignore_index
        p = _flatten(moments.mean, known).clamp(0, 1)
        for method, values in scores.items():
            self._count(method, _flatten(values, known), p, truth[known])

    def _count(self, method: SetMethod, scores: Tensor, p: Tensor, truth: Tensor) -> None:
        """Count the sets of known sites, given the scores and probabilities of classes, ``(classes, sites)``."""
        for level, limit in self._limits[method].items():
            members = make_sets(scores[None], limit, p[None])[0]
            self._sets[method].update({level: members.T}, truth)

    def merge(self, other: ClassUncertainty) -> None:
        """Add the sites of another."""
        self._stated |= other._stated
        self._reliability.add(other._reliability)
        for name, ranking in self._rankings.items():
            ranking.merge(other._rankings[name])
        self._brier.merge(other._brier)
        for method, sets in self._sets.items():
            sets.add(other._sets[method])
        self._total += other._total
        self._sites, self._wrong = self._sites + other._sites, self._wrong + other._wrong

    def scores(self) -> Scores:
        """Return the scores of all sites so far; nothing where no uncertainty was ever stated.

        ``error_auroc``: chance that ``total`` is higher at a wrong site than at a right one; ``error_auroc_by``: the
        same of the other uncertainties. ``aurc``, ``excess_aurc``: by ``total``, of the share of wrong sites. ``ause``:
        by ``total``, of the Brier score (Gustafsson et al. 2020). ``mean_total``, ``mean_error``: over sites. Names of
        scores of sets end in their method (``set_size_90_aps``), but for ``lac``.
        """
        if not self._stated:
            return {}
        ranked = {name: ranking.sorted() for name, ranking in self._rankings.items()}
        areas = {name: found.roc_auc() for name, found in ranked.items()}
        by_total = ranked["total"]
        return {
            **self._reliability.scores(),
            **self._sets[SETS].scores(),
            **{
                f"{name}_{method}": value
                for method, sets in self._sets.items()
                for name, value in sets.scores().items()
                if method != SETS
            },
            "error_auroc": areas.pop("total"),
            "error_auroc_by": areas,
            "aurc": aurc(by_total),
            "excess_aurc": excess_aurc(by_total, part_right_from_wrong(by_total)),
            "ause": self._sparsify(by_total).ause,
            "mean_total": self._total / self._sites if self._sites else None,
            "mean_error": self._wrong / self._sites if self._sites else None,
        }

    def curves(self) -> list[Curves]:
        """Return the curves of all sites so far; none where no uncertainty was ever stated."""
        if not self._stated:
            return []
        ranked = {name: ranking.sorted() for name, ranking in self._rankings.items()}
        by_total, bins = ranked["total"], self._reliability.diagram()
        with np.errstate(invalid="ignore"):  # bins without sites
            stated, observed = bins.stated / bins.sites, bins.true / bins.sites
        sparse = self._sparsify(by_total)
        coverage, best = risk_coverage_curve(part_right_from_wrong(by_total))
        risks = {name: as_list(risk_coverage_curve(found)[1]) for name, found in ranked.items()}
        reliability = {"stated": as_list(stated), "observed": as_list(observed), "sites": as_list(bins.sites)}
        sparsification = {
            "removed": as_list(sparse.removed),
            "total": as_list(sparse.error),
            "best": as_list(sparse.best),
        }
        risk_coverage = {"coverage": as_list(coverage), **risks, "best": as_list(best)}
        return [Curves("", reliability, risk_coverage, sparsification)]

    def _sparsify(self, by_total: Ranked) -> Sparsification:
        return sparsify(by_total, self._brier.sorted(), kind=1)


def as_list(values: NDArray[Any]) -> list[float | None]:
    """Return numbers as plain JSON, those that are not defined as None."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _flatten(part: Tensor, known: Tensor) -> Tensor:
    """Return the known sites of ``(N, classes, *space)``, ``(classes, sites)``."""
    flat = part.detach().cpu().float().movedim(1, 0).reshape(part.shape[1], -1)
    return flat if bool(known.all()) else flat[:, known]


def _rank_by(stated: Moments[Tensor], p: Tensor, chosen: Tensor) -> dict[str, Tensor]:
    """Return every uncertainty of sites, ``(sites,)``, by its name."""
    others = p.scatter(0, chosen[None], 0.0)  # 1 - p would lose what is left of a certain site to rounding
    return {
        "total": stated.total.sum(dim=0),
        "epistemic": stated.epistemic.sum(dim=0),
        "aleatoric": stated.aleatoric.sum(dim=0),
        "max_probability": others.sum(dim=0),
        "entropy": torch.special.entr(p).sum(dim=0),
    }


def _set_limits(calibration: Calibration | None, method: SetMethod) -> dict[float, float]:
    """Return the largest score of a class in a set, by level; of levels that are calibrated."""
    if not isinstance(calibration, ClassCalibration) or method not in calibration.limits:
        return {}
    # of independent labels, each of which has a limit of its own, there is not one set a site
    return {level: limit[0] for level, limit in zip(LEVELS, calibration.limits[method]) if len(limit) == 1}
