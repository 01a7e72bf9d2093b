"""Several labels a node or graph, each there or not, or not known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.labels import UNKNOWN, Place, read_quantities
from multiunet.domains.info import Labels
from multiunet.errors import InputError
from multiunet.wording import listing


def read_labels(path: Path, y: NDArray[Any], of: str = "node", place: Place | None = None) -> NDArray[np.float32]:
    """Return labels ``(rows, labels)``: 1 where a row has one, 0 where not, NaN where that is not known.

    Args:
        y: as given; -1, NaN and empty cells are not known.
        of: what has the labels, for errors.
        place: returns where the labels of a row stand, for errors.

    Raises:
        InputError: naming the first value that is none of these.
    """
    values = read_quantities(path, y, of, place)
    values = np.where(values == UNKNOWN, np.float32(np.nan), values)
    wrong = ~np.isnan(values) & (values != 0) & (values != 1)
    if wrong.any():
        row, which = (int(index) for index in np.argwhere(wrong)[0])
        where = f"{of} {row}" if place is None else place(row)
        raise InputError(
            f"{path}, {where}: label {which} is {values[row, which]:g} ({int(wrong.sum())} such values); each label of "
            "`task=multilabel` is 1 (there), 0 (not there), or NaN or -1 (not known)"
        )
    return values


def name_labels(given: Sequence[str] | None, count: int) -> list[str]:
    """Return the names of labels: those given, or ``label0``, ``label1`` and so on."""
    return list(given or ([f"label{i}" for i in range(count)] if count > 1 else ["label"]))


def describe_labels(path: Path, names: Sequence[str], trained: NDArray[np.float32], of: str = "node") -> Labels:
    """Return the labels with the share of the training rows that have each.

    Args:
        trained: labels of the training rows, ``(rows, labels)``; NaN where not known.
        of: what has the labels, for errors.

    Raises:
        InputError: for a label that all training rows have, or none, or that is known of none.
    """
    known = ~np.isnan(trained)
    has, told = np.nansum(trained, axis=0), known.sum(axis=0)
    for why, columns in (("known of", told == 0), ("in", (told > 0) & (has == 0)), ("missing in", has == told)):
        if columns.any():
            same = [name for name, one in zip(names, columns) if one]
            raise InputError(
                f"{path}: {listing(same)} {'is' if len(same) == 1 else 'are'} {why} no training {of}; there is nothing "
                "to learn: leave such labels out, or train on more"
            )
    return Labels(names=tuple(names), shares=tuple((has / told).tolist()))
