"""Sums over the sites of stored predictions, and the intervals that were fitted for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from multiunet.errors import InputError
from multiunet.prediction.reading import attrs_of
from multiunet.uncertainty.read_sums import read_sums
from multiunet.uncertainty.sums import SumCalibration, Totals

CALIBRATION, SUMS = "calibration", "sums"
"""The attribute of a prediction that holds its calibration, and the entry of this with intervals of sums."""

LOWEST = "lowest"
"""The attribute of a prediction that holds the least value of a quantity; None: any."""

LEVEL = 0.9
"""Probability with which intervals of measures are to hold the truth."""

BLOCK = 1 << 24
"""Values that are in memory at once."""


def sum_sites(data: xr.Dataset) -> Totals:
    """Return the sums of one stored input, a row of ``Totals``; sites without a prediction do not count.

    The sites are read a block of rows at a time.
    """
    names = data.sizes["channel"]
    found = np.zeros((3, names))
    for block in _blocks(data):
        # of a copy: what is read of an array itself stays in memory as long as the array
        mean, total = (block[name].copy(deep=False).values.reshape(names, -1) for name in ("mean", "total"))
        known = np.isfinite(mean)
        found[0] += known.sum(axis=1)
        found[1:] += [np.where(known, part, 0).sum(axis=1, dtype=np.float64) for part in (mean, total)]
    return Totals(*found[:, None])


def sum_rows(data: xr.Dataset) -> Totals:
    """Return each site of a stored input (a node, or a graph as a whole) as an item of its own."""
    mean, variance = (data[name].values.T.astype(np.float64) for name in ("mean", "total"))
    return Totals(np.ones_like(mean), mean, variance)


def _blocks(data: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield blocks of rows along the first axis of the sites, in whole chunks of the store where these are small."""
    mean = data["mean"]
    axis, rows = str(mean.dims[1]), mean.shape[1]
    chunk = int((mean.encoding.get("chunks") or mean.shape)[1])
    step = max(1, chunk, BLOCK * rows // max(1, mean.size) // chunk * chunk)
    for first in range(0, rows, step):
        yield data.isel({axis: slice(first, first + step)})


def least_value(prediction: Path) -> float:
    """Return the least value that a predicted quantity can have: 0 of counts, mostly -inf."""
    least = attrs_of(prediction).get(LOWEST)
    return float(least) if isinstance(least, (int, float)) else -math.inf


def open_sums(prediction: Path) -> Mapping[str, SumCalibration]:
    """Return the intervals of sums that a stored prediction brings along, by what is summed.

    Raises:
        InputError: when they are damaged.
    """
    calibration: Mapping[str, Any] = attrs_of(prediction).get(CALIBRATION) or {}
    try:
        return {name: read_sums(fit) for name, fit in (calibration.get(SUMS) or {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{prediction}: its intervals of sums cannot be read ({error}); predict anew") from error
