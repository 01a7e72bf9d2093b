"""Score of quantities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from multiunet.metrics import IntervalCounts, mean_of_defined, regression_scores
from multiunet.tasks.curves import Curves
from multiunet.tasks.quantity_uncertainty import WITHOUT_UNIT, draw_quantity, half_widths, judge_quantity
from multiunet.tasks.score import Score, Scores
from multiunet.tasks.site_sample import SiteSample
from multiunet.uncertainty import LEVELS, Calibration, Moments


class RegressionScore(Score):
    """Correlation and errors of quantities over all known sites, and what their uncertainty is worth.

    Memory is bounded: of more than ``MOST`` values errors, ``pearson_r``, ``r2`` and the coverage of intervals are of
    all sites; what needs them in order (``spearman_r``, scores of variances, curves) is of a random sample of as many.

    Args:
        names: of the quantities.
        calibration: of the predictions, whose intervals are scored; None: normal intervals are.
    """

    monitor = "r2"

    def __init__(self, names: Sequence[str], calibration: Calibration | None = None) -> None:
        self.names = list(names)
        self._multipliers = [half_widths(calibration, place) for place in range(len(self.names))]
        self._intervals = [IntervalCounts(LEVELS) for _ in self.names]
        self._sites = SiteSample(len(self.names))

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        given = (predicted, target) if moments is None else (predicted, target, moments.total)
        flat = [values.movedim(1, 0).reshape(len(self.names), -1).cpu().numpy() for values in given]
        known = ~np.isnan(flat[1]).all(axis=0)
        part = tuple(values[:, known] for values in flat)
        self._sites.add(part)
        if moments is None:
            return
        for counts, multipliers, mean, truth, total in zip(self._intervals, self._multipliers, *part):
            measured = ~np.isnan(truth)
            counts.update(mean[measured] - truth[measured], np.sqrt(total[measured]), multipliers)

    def merge(self, other: Self) -> None:
        self._sites.merge(other._sites)
        for own, more in zip(self._intervals, other._intervals):
            own.add(more)

    def result(self) -> Scores:
        """Return the scores of one quantity, or of several.

        Of several, ``per_track`` has the scores of each with its name as ``track``; beside it stand means over the
        quantities of those scores alone that have no unit.
        """
        joined = self._sites.joined()
        scores = self._compare(joined)
        stated = self._judge(joined) if len(joined) > 2 else []
        tracks = scores.pop("per_track", None)
        if tracks is None:
            return scores | (stated[0] if stated else {})
        if stated:
            scores |= {name: mean_of_defined(track[name] for track in stated) for name in WITHOUT_UNIT}
        extra = stated or [{}] * len(tracks)
        scores["per_track"] = [{"track": n, **t, **e} for n, t, e in zip(self.names, tracks, extra)]
        return scores

    def curves(self) -> Sequence[Curves]:
        joined = self._sites.joined()
        return [draw_quantity(name, *track) for name, *track in zip(self.names, *joined)] if len(joined) > 2 else ()

    def relative_error(self, scale: Sequence[float]) -> float:
        """Return the mean over quantities of ``mse / scale^2``; NaN where none is known."""
        scores = self.result()
        errors = [track["mse"] for track in scores.get("per_track", [scores])]
        known = [error / deviation**2 for error, deviation in zip(errors, scale) if error is not None]
        return float(np.mean(known)) if known else float("nan")

    def _compare(self, joined: Sequence[NDArray[np.float32]]) -> Scores:
        """Return ``regression_scores``, of a sample of the sites with sums over all of them in their places."""
        scores: Scores = dict(regression_scores(joined[0], joined[1]))
        if self._sites.is_whole:
            return scores
        of_all = [sums.scores() for sums in self._sites.sums]
        if "per_track" not in scores:
            return scores | of_all[0]
        scores["per_track"] = [track | own for track, own in zip(scores["per_track"], of_all)]
        return scores | {name: mean_of_defined(own[name] for own in of_all) for name in ("pearson_r", "r2")}

    def _judge(self, joined: Sequence[NDArray[np.float32]]) -> list[Scores]:
        stated = [
            {**counts.scores(), **judge_quantity(mean, target, total)}
            for counts, mean, target, total in zip(self._intervals, *joined)
        ]
        if self._sites.is_whole:
            return stated
        return [one | {"mean_error": sums.scores()["mae"]} for one, sums in zip(stated, self._sites.sums)]
