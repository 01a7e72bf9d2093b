"""Held-out predictions that a calibration is fitted to: sites of each item, and sums over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from multiunet.domains.config import EvaluateOptions
from multiunet.domains.held_out_sums import HeldOutCounts, HeldOutItems, HeldOutRegions, HeldOutSums
from multiunet.domains.labelled import Labelled
from multiunet.domains.runs import Run
from multiunet.errors import InputError
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.seeds import derive
from multiunet.uncertainty import Calibration
from multiunet.uncertainty.conformal import SetMethod
from multiunet.uncertainty.held_out import HeldOut, SiteSample
from multiunet.uncertainty.sums import SumCalibration

MOST = 20_000
"""Sites of a group that a calibration looks at: a share of these is known to half a percent."""

MOST_OF_ALL = 2_000_000
"""Sites of all groups together."""


@dataclass(frozen=True)
class Collected:
    """Predictions of held-out items, as the networks give them.

    Attributes:
        sites: a sample of each item's sites.
        sums: over all ``sites`` of each item, and of ``objects`` where these are counted.
        set_methods: those methods of sets that look beyond a site, if the domain has any.
    """

    sites: HeldOut
    sums: Mapping[str, HeldOutSums]
    set_methods: tuple[SetMethod, ...] = ()

    def without(self, names: Sequence[str]) -> Collected:
        """Return those of all items but the named ones."""
        return Collected(self.sites.without(names), {name: sums.without(names) for name, sums in self.sums.items()})

    def fit_sums(self, calibration: Calibration, groups: Mapping[str, str]) -> dict[str, SumCalibration]:
        """Fit intervals of sums of calibrated predictions, by what is summed; without those of too few items.

        Args:
            groups: group of each item that belongs together with others, by its name.
        """
        fits = {name: sums.fit(calibration, self.sites, groups) for name, sums in self.sums.items()}
        return {name: fit for name, fit in fits.items() if fit is not None}

    @staticmethod
    def join(parts: Sequence[Collected]) -> Collected:
        """Return those of all parts."""
        names = list(parts[0].sums)
        sums = {name: reduce(lambda one, two: one.join(two), [part.sums[name] for part in parts]) for name in names}
        return Collected(HeldOut.join([part.sites for part in parts]), sums)


def collect(run: Run, data: Labelled, options: EvaluateOptions) -> Collected:
    """Predict labelled data without calibration; return what is known of them.

    Raises:
        InputError: where there are none.
    """
    model = replace(run.model, net=fuse_layers(run.net), calibration=None)
    most = max(1, min(MOST, MOST_OF_ALL // max(1, len(data.items))))
    samples: dict[str, SiteSample] = {}
    alone: list[HeldOut] = []  # sites each of which is a group of its own
    of_sites: HeldOutSums = HeldOutRegions(run.task) if run.domain.predicts_regions else HeldOutItems(run.task)
    sums = {"sites": of_sites, "objects": HeldOutCounts()}
    set_methods: dict[SetMethod, None] = {}
    for piece in run.domain.predict_sites(model, run.config, run.info, data, options):
        if piece.moments is None:
            continue
        set_methods |= dict.fromkeys(piece.set_scores)
        for kind in sums.values():
            kind.add(piece)
        columns = run.task.known_sites(piece.moments, piece.target)
        if piece.item is None:
            alone.append(_rows(columns, piece.rows, sum(map(len, alone))))
            continue
        seed = derive("calibration", len(samples))
        samples.setdefault(piece.item, SiteSample(most, seed)).add(*columns)
    parts = [_group(name, sample.columns()) for name, sample in samples.items()]
    if not any(map(len, [*parts, *alone])):
        raise InputError(f"{data.name}: no target is known, so there is nothing to calibrate on")
    return Collected(HeldOut.join([part for part in (*parts, *alone) if len(part)]), sums, tuple(set_methods))


def _group(name: str, columns: tuple[Tensor, ...]) -> HeldOut:
    mean, variance, target = columns
    return HeldOut(mean, variance, target, torch.zeros(len(target), dtype=torch.long), (name,))


def _rows(columns: tuple[Tensor, ...], names: tuple[str, ...], first: int) -> HeldOut:
    """Return sites that are each a group."""
    mean, variance, target = columns
    if len(names) != len(target):  # some have no target, or there are no names
        names = tuple(f"row {first + index}" for index in range(len(target)))
    return HeldOut(mean, variance, target, torch.arange(len(target)), names)
