"""Sums over the sites of held-out items, predicted and true, to which intervals of sums are fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.labelled import Piece
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.region_sums import SiteErrors, fit_regions
from multiunet.uncertainty.sums import SumCalibration, Totals, count_totals, fit_items

Groups = Mapping[str, str]
"""Group of each item that belongs together with others (of a specimen, say), by its name."""

Counts = tuple[int, ...]
"""Objects of an item: all of them, and those of each class that they may have."""

ALONE: Groups = MappingProxyType({})
"""Groups of items each of which is one by itself."""


class HeldOutSums(ABC):
    """Errors of held-out items, collected piece by piece from predictions without calibration."""

    @abstractmethod
    def add(self, piece: Piece) -> None:
        """Add a piece; one that states no moments says nothing on sums."""

    @abstractmethod
    def fit(self, calibration: Calibration, sampled: HeldOut, groups: Groups = ALONE) -> SumCalibration | None:
        """Fit intervals of sums of calibrated predictions; None where there are too few items.

        Args:
            sampled: sites of each item as they were predicted, under the item's name.
            groups: of the items, which err alike within each.
        """

    @abstractmethod
    def without(self, names: Sequence[str]) -> Self:
        """Return it without the items of these names."""

    @abstractmethod
    def join(self, other: Self) -> Self:
        """Return the items of both, of two folds say; those of one name are different predictions of it."""


@dataclass(frozen=True)
class _Item:
    """Item, or row, with its sums over known sites: number of sites, means, variances, truths; ``(4, names)``."""

    name: str
    sums: Tensor


@dataclass(frozen=True)
class HeldOutItems(HeldOutSums):
    """Sums over all sites of each item (image, graph; of data of one item, each row).

    The calibration is known only once all pieces were seen. What it changes in a sum is estimated from the sites that
    were sampled of the item, and the sum itself is exact; so the sample's error counts only for that change.

    Args:
        task: says what targets mean.
    """

    task: Task
    items: list[_Item] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        if piece.moments is None:
            return
        mean, variance, target = self.task.known_sites(piece.moments, piece.target)
        table = torch.stack(_columns(mean.double(), variance.double(), target), dim=1)  # (sites, 4, names)
        if piece.item is None:
            names = piece.rows if len(piece.rows) == len(table) else [""] * len(table)
            self.items.extend(_Item(name, sums) for name, sums in zip(names, table))
            return
        sums = table.sum(dim=0)
        if self.items and self.items[-1].name == piece.item:  # the pieces of an item follow each other
            sums = sums + self.items.pop().sums
        self.items.append(_Item(piece.item, sums))

    def fit(self, calibration: Calibration, sampled: HeldOut, groups: Groups = ALONE) -> SumCalibration | None:
        rows = dict(zip(sampled.groups, sampled.by_group(torch.arange(len(sampled)))))
        tables = [_calibrate(item, calibration, sampled, rows) for item in self.items]
        if len(tables) < 2:
            return None
        sites, mean, variance, true = torch.stack(tables, dim=1).numpy()
        names = [groups.get(item.name, f"item {place}") for place, item in enumerate(self.items)]
        return fit_items(Totals(sites, mean, variance), true, names)

    def without(self, names: Sequence[str]) -> HeldOutItems:
        return replace(self, items=[item for item in self.items if item.name not in set(names)])

    def join(self, other: HeldOutItems) -> HeldOutItems:
        return replace(self, items=[*self.items, *other.items])


@dataclass(frozen=True)
class HeldOutRegions(HeldOutSums):
    """Errors along each held-out chromosome, for intervals of sums over its regions.

    Args:
        task: says what targets mean.
    """

    task: Task
    chromosomes: dict[str, Moments[Tensor]] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        if piece.moments is None:
            return
        nothing = torch.zeros_like(piece.moments.mean)
        self.chromosomes[str(piece.item)] = Moments(piece.moments.mean, nothing, piece.moments.total)
        self.targets[str(piece.item)] = piece.target

    def fit(self, calibration: Calibration, sampled: HeldOut, groups: Groups = ALONE) -> SumCalibration | None:
        found = []
        for name, moments in self.chromosomes.items():
            stated = calibration.apply(moments)
            error = (stated.mean.double() - self.targets[name].double())[0]
            found.append(SiteErrors(error.numpy(), stated.total[0].double().numpy()))
        return fit_regions(found)

    def without(self, names: Sequence[str]) -> HeldOutRegions:
        kept = [name for name in self.chromosomes if name not in set(names)]
        moments = {name: self.chromosomes[name] for name in kept}
        return HeldOutRegions(self.task, moments, {name: self.targets[name] for name in kept})

    def join(self, other: HeldOutRegions) -> HeldOutRegions:
        return HeldOutRegions(self.task, self.chromosomes | other.chromosomes, self.targets | other.targets)


@dataclass(frozen=True)
class HeldOutCounts(HeldOutSums):
    """Objects found in each held-out item, and true ones; of several kinds, each.

    A count is a sum over the objects found, each with the variance 1, as though objects were missed and made up one by
    one; how far they are missed together is the correlation that is fitted.
    """

    counts: list[tuple[str, Counts, Counts]] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        if piece.counts is not None:
            self.counts.append((str(piece.item), *piece.counts))

    def fit(self, calibration: Calibration, sampled: HeldOut, groups: Groups = ALONE) -> SumCalibration | None:
        if len(self.counts) < 2:
            return None
        found, true = (np.array([row[place] for row in self.counts], dtype=float) for place in (1, 2))
        names = [groups.get(name, f"item {place}") for place, (name, *_) in enumerate(self.counts)]
        return fit_items(count_totals(found), true, names)

    def without(self, names: Sequence[str]) -> HeldOutCounts:
        return HeldOutCounts([row for row in self.counts if row[0] not in set(names)])

    def join(self, other: HeldOutCounts) -> HeldOutCounts:
        return HeldOutCounts([*self.counts, *other.counts])


def _columns(mean: Tensor, variance: Tensor, target: Tensor) -> list[Tensor]:
    """Return whether a site is known, its mean, variance and truth, each ``(sites, names)``; 0 where it is not."""
    if target.ndim == 1:
        target = torch.nn.functional.one_hot(target.long(), mean.shape[1])
    known = ~target.isnan()
    return [known.double(), *(torch.where(known, part.double(), 0.0) for part in (mean, variance, target))]


def _calibrate(item: _Item, calibration: Calibration, sampled: HeldOut, rows: dict[str, Tensor]) -> Tensor:
    """Return the sums of an item, ``(4, names)``, as though its sites had been calibrated."""
    sites, *_ = sums = item.sums
    if (sites <= 1).all():  # its sums are its only site
        mean, variance = sums[1:2], sums[2:3]
    elif item.name in rows:
        mean, variance = (part[rows[item.name]].double() for part in (sampled.mean, sampled.variance))
    else:
        return sums
    after = calibration.apply(Moments(mean, torch.zeros_like(mean), variance))
    unchanged = torch.zeros_like(sites)
    changes = [(after.mean - mean).mean(dim=0), (after.total - variance).mean(dim=0)]
    calibrated: Tensor = sums + sites * torch.stack([unchanged, *changes, unchanged])
    return calibrated
