"""Uncertainty of other data against that of the scored ones: does it show that they are other data?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from multiunet.domains.domain import Domain
from multiunet.domains.model import Model
from multiunet.metrics import Ranking, roc_auc
from multiunet.prediction import PredictionStore, open_datasets
from multiunet.progress import Progress
from multiunet.tasks import Task
from multiunet.uncertainty import Moments

SITES_AT_ONCE = 1 << 22
"""Of a stored prediction, read at once."""

MEASURES = ("total", "epistemic")
"""Uncertainties by which other data are told."""


class Novelty:
    """Mean uncertainty of items and of their sites, of scored and of other data, piece by piece.

    The uncertainty of a site is its variance, summed over classes, or over quantities in units of the task's scale.

    Args:
        task: what is predicted.
    """

    def __init__(self, task: Task) -> None:
        scale = getattr(task, "scale", None)
        self._weights = torch.ones(len(task.names)) if scale is None else 1 / scale.float().square()
        self._sites = {name: Ranking() for name in MEASURES}
        self._sums: list[dict[tuple[bool, str], list[float]]] = [{}]  # of each model's items: both sums, and the sites

    def add(self, moments: Moments[Tensor], item: str | None, other: bool) -> None:
        """Add sites.

        Args:
            moments: ``(N, names, *space)`` or ``(rows, names)``; sites of NaN are not predicted.
            item: its name; None: the sites belong to none.
            other: whether it is of the other data.
        """
        found = {"total": self._weigh(moments.total), "epistemic": self._weigh(moments.epistemic)}
        known = ~found["total"].isnan()
        of_sites = {name: values[known].clamp_min(0) for name, values in found.items()}
        count = len(of_sites["total"])
        for name, values in of_sites.items():
            self._sites[name].add(values, [torch.full((count,), float(other))])
        if item is not None:
            sums = self._sums[0].setdefault((other, item), [0.0] * (len(MEASURES) + 1))
            for place, part in enumerate([*(float(of_sites[name].double().sum()) for name in MEASURES), count]):
                sums[place] += part

    def merge(self, other: Novelty) -> None:
        """Add what another model predicted."""
        for name, ranking in self._sites.items():
            ranking.merge(other._sites[name])
        self._sums += other._sums

    def scores(self) -> dict[str, float | None]:
        """Return areas under the ROC curve of other against scored data.

        ``ood_item_auroc`` and ``ood_site_auroc`` are by ``total``; with ``_epistemic``, by that. Those of items are
        None where scored or other data have none.
        """
        rows = [(key[0], sums) for items in self._sums for key, sums in items.items() if sums[-1]]
        other = np.array([is_other for is_other, _ in rows], dtype=bool)
        found: dict[str, float | None] = {}
        for place, name in enumerate(MEASURES):
            means = np.array([sums[place] / sums[-1] for _, sums in rows])
            found[_key("item", name)] = roc_auc(means, other)
        return found | {_key("site", name): self._sites[name].sorted().roc_auc() for name in MEASURES}

    def _weigh(self, variance: Tensor) -> Tensor:
        flat = variance.detach().cpu().float().movedim(1, 0).reshape(variance.shape[1], -1)
        return (flat * self._weights[:, None]).sum(dim=0)


def _key(of: str, measure: str) -> str:
    return f"ood_{of}_auroc" if measure == MEASURES[0] else f"ood_{of}_auroc_{measure}"


def join_novelty(parts: Sequence[Novelty]) -> dict[str, float | None]:
    """Return the scores of all models together, each of which predicted both; of none nothing."""
    if not parts:
        return {}
    first, *others = parts
    for part in others:
        first.merge(part)
    return first.scores()


def predict_other(
    domain: Domain[Any, Any, Any], model: Model, config: Any, info: Any, options: Any, progress: Progress
) -> Iterator[tuple[str, Moments[Tensor]]]:
    """Predict data without targets as ``predict`` does.

    Yields:
        The item's name, and moments of some of its sites, ``(1, names, *space)``.

    Args:
        options: of a prediction, which name the data.
    """
    with TemporaryDirectory(prefix="multiunet-") as folder:
        place = Path(folder) / "other.zarr"
        with PredictionStore(place) as store:
            domain.predict(model, config, info, options, store, progress)
        for name, data in open_datasets(place).items():
            yield from ((name, moments) for moments in _read(data))


def _read(data: xr.Dataset) -> Iterator[Moments[Tensor]]:
    """Read a stored prediction in slabs along its first axis of sites."""
    _, length, *others = data["mean"].shape
    rows = max(1, SITES_AT_ONCE // max(1, int(np.prod(others))))
    for start in range(0, length, rows):
        cut = [data[name][:, start : start + rows].values for name in ("mean", "epistemic", "aleatoric")]
        yield Moments(*(torch.from_numpy(values)[None] for values in cut))
