"""Labels of nodes and graphs: classes or quantities."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import MISSING, Words, finite
from multiunet.domains.info import ClassLabels, Quantities
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

logger = logging.getLogger("multiunet.graph")

UNKNOWN = -1
"""Class index of a node or graph whose class is not known."""

MOST_CLASSES = 65_536
"""Classes that the file of a prediction can count."""

Place = Callable[[int], str]
"""Returns where the label of a row stands in its file, in words."""


def list_classes(path: Path, y: NDArray[Any], of: str = "node") -> list[Any]:
    """Return the labels in use, ascending, as JSON values.

    -1, NaN and the words of ``MISSING`` stand for an unknown label.

    Args:
        of: what has the labels, for errors.

    Raises:
        InputError: where labels are not classes, or there is only one.
    """
    values = list_used(path, y, of)
    if len(values) < 2:
        raise InputError(
            f"{path}: y has {'only the class ' + repr(values[0]) if values else 'no label'}; two classes are needed"
        )
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"{path}: y has {len(values)} different labels; are they quantities? Then pass `task=regression`"
        )
    return values


def list_used(path: Path, y: NDArray[Any], of: str) -> list[Any]:
    """Return the labels that rows have, ascending.

    Args:
        of: what has the labels, for errors.

    Raises:
        InputError: for labels that are no classes.
    """
    if y.ndim != 1:
        raise InputError(
            f"{path}: y has the shape {y.shape}; a {of} has one class (several quantities: `task=regression`)"
        )
    if y.dtype.kind in "US":
        words = {str(word) for word in y} - {*MISSING, str(UNKNOWN)}
        values: list[Any] = sorted(words)
        if all(_is_integer(word) for word in words):
            values = sorted(words, key=int)
            _check_not_negative(path, values, of)
    elif y.dtype.kind in "biuf":
        known = y[~np.isnan(y)] if y.dtype.kind == "f" else y.astype(np.int64)
        if not np.isfinite(known).all():
            raise InputError(f"{path}: y holds {known[~np.isfinite(known)][0]:g}, which is no class")
        if (known != np.floor(known)).any():
            raise InputError(
                f"{path}: y holds {known[known != np.floor(known)][0]:g}, which is no class; for quantities pass "
                "`task=regression`"
            )
        values = [int(value) for value in np.unique(known) if value != UNKNOWN]
        _check_not_negative(path, values, of)
    else:
        raise InputError(f"{path}: y has the type {y.dtype}; labels are integers or text")
    return values


def _check_not_negative(path: Path, values: list[Any], of: str) -> None:
    if values and int(values[0]) < 0:
        raise InputError(
            f"{path}: y holds the label {values[0]}; classes are 0 or more, and -1 is a {of} without label"
        )


def find_unlearnable(path: Path, trained: NDArray[np.int64], classes: Sequence[str], of: str = "node") -> str | None:
    """Return in words which classes (by index) no training node or graph shows; None where each is shown."""
    missing = [name for index, name in enumerate(classes) if not (trained == index).any()]
    return f"{path}: no training {of} is of class {', '.join(missing)}; it cannot be learnt" if missing else None


def label_classes(values: Sequence[Any]) -> ClassLabels:
    """Return the classes of these labels, each named as its label."""
    return ClassLabels(names=tuple(map(str, values)), values=tuple(values))


def index_classes(y: NDArray[Any], values: list[Any]) -> NDArray[np.int64]:
    """Return the place of each label among ``values``; ``UNKNOWN`` for others.

    A number and the same number as text are one label.
    """
    place = {str(value): index for index, value in enumerate(values)}
    read = str if y.dtype.kind in "US" else lambda value: "" if value != value else str(int(value))
    return np.array([place.get(read(value), UNKNOWN) for value in y.tolist()], dtype=np.int64)


def read_quantities(path: Path, y: NDArray[Any], of: str = "node", place: Place | None = None) -> NDArray[np.float32]:
    """Return quantities ``(rows, quantities)``; NaN where not measured.

    Args:
        of: what has the quantities, for errors.
        place: returns where the quantity of a row stands, for errors.

    Raises:
        InputError: naming the first that is not a finite number.
    """
    if y.dtype.kind in "US":
        cells = Words.of(str(cell).strip() for cell in y.reshape(-1))
        bad = [word for word in cells.words if word not in MISSING and finite(word) is None]
        if bad:
            row = int(np.flatnonzero(cells.mark(bad))[0])
            row_of_file = row // max(1, y.size // len(y))
            where = f"{of} {row_of_file}" if place is None else place(row_of_file)
            raise InputError(
                f"{path}, {where}: the label is {cells[row]!r}, not a number; for `task=regression` give numbers, and "
                "leave empty what is not known exactly"
            )
        y = cells.numbers().reshape(y.shape)
    if y.dtype.kind not in "biuf":
        raise InputError(f"{path}: y has the type {y.dtype}; quantities are numbers")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        values = y.astype(np.float32).reshape(len(y), -1)
    if np.isinf(values).any():
        node, which = np.argwhere(np.isinf(values))[0]
        raise InputError(f"{path}: y of {of} {node} is {values[node, which]}; mark what is not measured as NaN")
    return values


def name_quantities(given: Sequence[str] | None, count: int) -> list[str]:
    """Return the names of quantities: those given, or ``y``; of several ``y0``, ``y1`` and so on."""
    return list(given or (["y"] if count == 1 else [f"y{i}" for i in range(count)]))


def scale_quantities(path: Path, names: Sequence[str], trained: NDArray[np.float32], of: str = "node") -> Quantities:
    """Return the quantities with their means and standard deviations over the training rows.

    Args:
        trained: ``(rows, quantities)``; NaN where not measured.
        of: what has the quantities, for errors.

    Raises:
        InputError: for a quantity that is nowhere measured, or everywhere the same.
    """
    for name, column in zip(names, trained.T):
        measured = column[~np.isnan(column)]
        if not len(measured) or measured.min() == measured.max():
            found = f"is {measured[0]:g} at all training {of}s" if len(measured) else f"is measured at no training {of}"
            raise InputError(f"{path}: {name} {found}; there is nothing to learn")
    wide = trained.astype(np.float64)
    centre, scale = np.nanmean(wide, axis=0).tolist(), np.nanstd(wide, axis=0).tolist()
    return Quantities(names=tuple(names), centre=tuple(centre), scale=tuple(scale))


def _is_integer(word: str) -> bool:
    return parse_whole(word) is not None
