"""Fitted intervals of sums, read from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multiunet.uncertainty.region_sums import RegionSums
from multiunet.uncertainty.sums import ItemSums, SumCalibration


def read_sums(stored: Mapping[str, Any]) -> SumCalibration:
    """Return the intervals of sums that ``SumCalibration.as_dict`` gave.

    Raises:
        ValueError: for anything else.
    """
    try:
        values = {name: value for name, value in stored.items() if name != "of"}
        if stored["of"] == "items":
            return ItemSums(**{name: _numbers(row) for name, row in values.items()})
        if stored["of"] == "regions":
            rows = {name: tuple(_numbers(row) for row in values[name]) for name in ("effects", "freedom")}
            return RegionSums(tuple(values["sizes"]), **rows, groups=values["groups"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"no intervals of sums ({error})") from error
    raise ValueError(f"intervals of sums of {stored['of']!r}, which this version does not know")


def _numbers(row: Sequence[Any]) -> tuple[Any, ...]:
    if not all(value is None or isinstance(value, int | float) for value in row):
        raise TypeError(f"{row} are not numbers")
    return tuple(float("nan") if value is None else value for value in row)
