"""Predictions of trained runs as plain tables, and the figures that say whether what they state can be trusted.

For the other scripts of this folder. Figures are computed from the tables alone, a second time beside those of
``multiunet evaluate``, and for peers as for ours.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.labelled import Labelled
from multiunet.domains.runs import Run, load
from multiunet.domains.setting_types import Checkpoints
from multiunet.geometries.grid.fuse import fuse_layers

Values = NDArray[np.float64]
LEVELS = (0.5, 0.8, 0.9, 0.95)
BINS = 15
NORMAL = {0.5: 0.6745, 0.8: 1.2816, 0.9: 1.6449, 0.95: 1.9600}
"""Standard deviations of the central interval of a normal distribution, by level."""


@dataclass(frozen=True)
class Table:
    """Scored sites of a split, item after item (image, chromosome, molecule; all nodes of a graph are one).

    Attributes:
        mean, epistemic, aleatoric: ``(sites, names)``.
        target: class ``(sites,)``, or quantities ``(sites, names)``; known sites alone.
        item: of each site, a number into ``names``.
        names: of the items.
    """

    mean: Values
    epistemic: Values
    aleatoric: Values
    target: NDArray[Any]
    item: NDArray[np.int64]
    names: list[str]

    @property
    def total(self) -> Values:
        """Total variance, ``(sites, names)``."""
        return self.epistemic + self.aleatoric

    def of(self, item: int) -> Table:
        """Return the sites of one item."""
        own = self.item == item
        moments = self.mean[own], self.epistemic[own], self.aleatoric[own]
        return Table(*moments, self.target[own], self.item[own], self.names)

    def with_probabilities(self, p: Values) -> Table:
        """Return the table with other probabilities; both variances keep their share of the total."""
        total, before = p * (1 - p), self.total
        share = np.divide(self.epistemic, before, out=np.zeros_like(before), where=before > 0)
        return replace(self, mean=p, epistemic=total * share, aleatoric=total * (1 - share))


def open_joined(paths: Path | Sequence[Path], checkpoints: Checkpoints = "best") -> Run:
    """Open a run; several as an ensemble, as ``evaluate`` has them."""
    run = load(paths, checkpoints=checkpoints)
    return replace(run, model=replace(run.model, net=fuse_layers(run.model.net)))


def options_of(run: Run, split: str, samples: int, **options: Any) -> Any:
    """Return settings of ``evaluate`` for a split of a run, or for other data that the options name."""
    where: dict[str, Any] = {} if run.spec.evaluate.other in options else {"split": split}
    return run.spec.evaluate(samples=samples, **where, **options)


def read(run: Run, split: str, samples: int) -> Labelled:
    """Read the labelled data of a split."""
    return run.domain.read(run.config, run.info, options_of(run, split, samples))


def collect(run: Run, split: str, samples: int, **options: Any) -> Table:
    """Predict a split of a run, or other data that the options name, as ``evaluate`` does."""
    chosen = options_of(run, split, samples, **options)
    data = run.domain.read(run.config, run.info, chosen)
    found, targets, items, names = [], [], [], []
    for piece in run.domain.predict_labelled(run.model, run.config, run.info, data, chosen):
        if not names or piece.item is None or names[-1] != piece.item:
            names.append(piece.item or str(len(names)))
        classes = run.task.kind == "segmentation"
        rows = [as_rows(part) for part in (piece.moments.mean, piece.moments.epistemic, piece.moments.aleatoric)]
        target = piece.target.numpy().ravel() if classes else as_rows(piece.target)
        known = target >= 0 if classes else ~np.isnan(target).any(axis=1)
        found.append([part[known] for part in rows])
        targets.append(target[known])
        items.append(np.full(int(known.sum()), len(names) - 1))
    mean, epistemic, aleatoric = (np.concatenate(values).astype(np.float64) for values in zip(*found))
    return Table(mean, epistemic, aleatoric, np.concatenate(targets), np.concatenate(items), names)


def as_rows(values: Any) -> NDArray[np.float32]:
    """Return ``(N, names, *space)`` as ``(sites, names)``."""
    array: NDArray[np.float32] = values.movedim(1, -1).reshape(-1, values.shape[1]).float().numpy()
    return array


def join(tables: Sequence[Table]) -> Table:
    """Return the sites of several tables, each of other items, in one."""
    firsts = np.cumsum([0, *(len(table.names) for table in tables)])
    mean, epistemic, aleatoric, target = (
        np.concatenate([getattr(table, name) for table in tables])
        for name in ("mean", "epistemic", "aleatoric", "target")
    )
    items = np.concatenate([table.item + first for table, first in zip(tables, firsts)])
    return Table(mean, epistemic, aleatoric, target, items, [name for table in tables for name in table.names])


def keep(path: Path, make: Callable[[], Table]) -> Table:
    """Return the table of a file, which is made and written where it is not there."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(made, name) for name in ("mean", "epistemic", "aleatoric", "target", "item")}
        small = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}
        np.savez(path, **small, names=np.array(made.names))
    with np.load(path, allow_pickle=False) as file:
        mean, epistemic, aleatoric = (file[name].astype(np.float64) for name in ("mean", "epistemic", "aleatoric"))
        return Table(mean, epistemic, aleatoric, file["target"], file["item"], [str(name) for name in file["names"]])


# --- classes -------------------------------------------------------------------------------------------------------


def class_figures(table: Table, uncertainty: Values | None = None) -> dict[str, Any]:
    """Return the figures of stated probabilities.

    Args:
        uncertainty: of each site, ``(sites,)``; default: ``total``, summed over the classes.
    """
    p, y = table.mean, table.target
    classes = p.shape[1]
    wrong = p.argmax(axis=1) != y
    stated = table.total.sum(axis=1) if uncertainty is None else uncertainty
    of_truth = p[np.arange(len(y)), y].clip(1e-12)
    by_class = [binned_error(p[:, k], y == k) for k in range(classes)]
    return {
        "sites": len(y),
        "accuracy": float(1 - wrong.mean()),
        "calibration_error": binned_error(p.max(axis=1), ~wrong),
        "calibration_error_by_class": by_class,
        "nll": float(-np.log(of_truth).mean()),
        "brier": float(((p - np.eye(classes)[y]) ** 2).sum(axis=1).mean()),
        "error_auroc": auroc(stated, wrong),
        "error_auroc_max_p": auroc(1 - p.max(axis=1), wrong),
        "error_auroc_epistemic": auroc(table.epistemic.sum(axis=1), wrong),
        "aurc": aurc(stated, wrong),
        "aurc_best": aurc(wrong.astype(float), wrong),
    }


def binned_error(stated: Values, true: NDArray[np.bool_]) -> float:
    """Return the mean over sites of ``|frequency - stated|`` of the site's bin (Guo et al. 2017, eq. 3)."""
    place = np.ceil(stated * BINS).clip(1, BINS).astype(int) - 1
    surplus = np.bincount(place, weights=true - stated, minlength=BINS)
    return float(np.abs(surplus).sum() / len(stated))


def auroc(score: Values, positive: NDArray[np.bool_]) -> float | None:
    """Return the probability that a positive has the higher score; ties count half."""
    from scipy.stats import rankdata

    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    above = float(rankdata(score)[positive].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def aurc(uncertainty: Values, loss: NDArray[Any]) -> float:
    """Return the mean over n of the mean loss of the n surest sites (Geifman et al. 2019); ties by a fixed draw."""
    order = np.lexsort((np.random.default_rng(0).random(len(loss)), uncertainty))
    return float(np.mean(np.cumsum(loss[order]) / np.arange(1, len(loss) + 1)))


def temper(p: Values, temperature: float) -> Values:
    """Return ``softmax(log p / T)``."""
    logs = np.log(p.clip(1e-30)) / temperature
    logs -= logs.max(axis=1, keepdims=True)
    raised = np.exp(logs)
    result: Values = raised / raised.sum(axis=1, keepdims=True)
    return result


def fit_temperature(table: Table) -> float:
    """Return the temperature of the lowest NLL, by golden section in the logarithm."""
    from scipy.optimize import minimize_scalar

    at = np.arange(len(table.target))

    def nll(log_t: float) -> float:
        p = temper(table.mean, float(np.exp(log_t)))
        return float(-np.log(p[at, table.target].clip(1e-30)).mean())

    return float(np.exp(minimize_scalar(nll, bounds=(-3, 3), method="bounded").x))


def ranked_items(table: Table) -> float | None:
    """Return Spearman's correlation over items of mean total with the share of wrong sites."""
    from scipy.stats import spearmanr

    each = [table.of(item) for item in range(len(table.names))]
    stated = [float(one.total.sum(axis=1).mean()) for one in each]
    wrong = [float((one.mean.argmax(axis=1) != one.target).mean()) for one in each]
    return float(spearmanr(stated, wrong).statistic) if len(each) > 2 else None


# --- quantities ----------------------------------------------------------------------------------------------------


def half_widths(table: Table, multipliers: Mapping[float, float] = NORMAL) -> dict[float, Values]:
    """Return half the width of each site's interval, ``(sites,)`` by level: so many stated deviations."""
    return {level: multipliers[level] * np.sqrt(table.total[:, 0]) for level in LEVELS}


def quantity_figures(table: Table, halves: Mapping[float, Values], quantity: int = 0) -> dict[str, Any]:
    """Return the figures of a stated mean and variance, and of the intervals of these half widths."""
    from scipy.stats import spearmanr

    error = np.abs(table.target[:, quantity] - table.mean[:, quantity])
    deviation = np.sqrt(table.total[:, quantity])
    inside = {level: error <= halves[level] for level in LEVELS}
    items = {name: float(inside[0.9][table.item == at].mean()) for at, name in enumerate(table.names)}
    share = float(inside[0.9].mean())
    by_item = 1 < len(table.names) < len(error)  # molecules are items of one site
    return {
        "sites": len(error),
        "rmse": float(np.sqrt((error**2).mean())),
        **{f"coverage_{round(100 * level)}": float(inside[level].mean()) for level in LEVELS},
        "interval_width_90": float(2 * halves[0.9].mean()),
        "constant_width_same_coverage": float(2 * np.quantile(error, share)),
        "coverage_90_by_item": items if by_item else {},
        "coverage_90_worst_item": min(items.values()) if by_item else None,
        "rms_z": float(np.sqrt(((error / deviation) ** 2).mean())),
        "spearman_error": float(spearmanr(deviation, error).statistic),
        "epistemic_share": float((table.epistemic / table.total).mean()),
        "ence": ence(deviation, error),
    }


def ence(deviation: Values, error: Values, bins: int = 10) -> float:
    """Return the expected normalised calibration error over bins of equal size (Levi et al. 2022, eq. 8)."""
    parts = np.array_split(np.argsort(deviation), bins)
    pairs = [[np.sqrt((values[part] ** 2).mean()) for values in (deviation, error)] for part in parts if len(part)]
    return float(np.mean([abs(stated - true) / stated for stated, true in pairs]))


def spread(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and deviation of each figure, element by element of lists."""
    found: dict[str, Any] = {}
    for key, value in each[0].items():
        if isinstance(value, list):
            found[key] = np.mean([one[key] for one in each], axis=0).tolist()
        elif isinstance(value, int | float):
            values = [float(one[key]) for one in each]
            found[key] = {"mean": statistics.mean(values), "sd": statistics.pstdev(values)}
    return found
