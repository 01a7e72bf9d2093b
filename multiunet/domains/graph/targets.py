"""Targets of the rows of a file, before it is known which of them train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.graph.files.given import Given
from multiunet.domains.graph.info import GraphInfo
from multiunet.domains.graph.labels import (
    UNKNOWN,
    Place,
    find_unlearnable,
    index_classes,
    label_classes,
    list_classes,
    list_used,
    name_quantities,
    read_quantities,
    scale_quantities,
)
from multiunet.domains.graph.several_labels import describe_labels, name_labels, read_labels
from multiunet.domains.info import ClassLabels, Labels, Quantities
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import listing


@dataclass(frozen=True)
class Targets:
    """Targets by row.

    Attributes:
        path, of: the file, and what has the labels, "node" or "graph", for errors.
        values: class indices ``(rows,)`` int64, ``UNKNOWN`` where not known; or quantities, or several labels,
            ``(rows, K)`` float32, NaN where not known.
        classes: None for quantities and several labels.
        names: of the quantities or labels.
        several: whether these are labels, each there or not.
    """

    path: Path
    of: str
    values: NDArray[Any]
    classes: ClassLabels | None
    names: Sequence[str]
    several: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows with a class or a measurement, ``(rows,)``."""
        found: NDArray[np.bool_] = (
            self.values != UNKNOWN if self.classes is not None else ~np.isnan(self.values).all(axis=1)
        )
        return found

    @property
    def strata(self) -> NDArray[np.int64]:
        """Groups of which splits take alike: the classes, or all rows, ``(rows,)``."""
        return self.values if self.classes is not None else np.zeros(len(self.values), dtype=np.int64)

    def fit(self, trained: NDArray[Any]) -> ClassLabels | Labels | Quantities:
        """Return the classes, the labels, or the quantities and their scales.

        A remark names classes that no training row shows.

        Args:
            trained: numbers or mask of the rows that train.

        Raises:
            InputError: for a quantity or label from which nothing can be learnt.
        """
        if self.several:
            return describe_labels(self.path, self.names, self.values[trained], self.of)
        if self.classes is None:
            return scale_quantities(self.path, self.names, self.values[trained], self.of)
        unlearnt = find_unlearnable(self.path, self.values[trained], self.classes.names, self.of)
        if unlearnt is not None:
            remark(unlearnt)
        return self.classes


def targets_of(given: Given, task: str, of: str = "node") -> Targets:
    """Return the labels of a file as classes; for "regression" as quantities, for "multilabel" as several.

    Raises:
        InputError: for labels that are neither, or of one class alone.
    """
    assert given.y is not None  # readers refuse graphs without labels
    if task == "regression":
        amounts = read_quantities(given.path, given.y, of, given.place)
        return Targets(given.path, of, amounts, None, name_quantities(given.quantities, amounts.shape[1]))
    if task == "multilabel":
        found = read_labels(given.path, given.y, of, given.place)
        return Targets(given.path, of, found, None, name_labels(given.quantities, found.shape[1]), several=True)
    values = list_classes(given.path, given.y, of)
    return Targets(given.path, of, index_classes(given.y, values), label_classes(values), ())


def read_targets(path: Path, y: NDArray[Any], info: GraphInfo, of: str = "node", place: Place | None = None) -> Tensor:
    """Return the targets of rows not trained on: classes ``(rows,)``, quantities or labels ``(rows, K)``.

    Args:
        y: as it was given.
        info: of the run.
        of: what has the labels, for errors.
        place: returns where the label of a row stands, for errors.

    Raises:
        InputError: where nothing is known, or other classes or quantities than those trained on.
    """
    if info.regression:
        amounts = read_quantities(path, y, of, place)
        if amounts.shape[1] != len(info.quantities.names):
            raise InputError(
                f"{path}: y has {amounts.shape[1]} quantities, but the run was trained on "
                f"{listing(info.quantities.names)}"
            )
        known, found = ~np.isnan(amounts), torch.from_numpy(amounts)
    elif info.target.kind == "labels":
        told = read_labels(path, y, of, place)
        if told.shape[1] != len(info.labels.names):
            raise InputError(
                f"{path}: y has {told.shape[1]} labels, but the run was trained on {listing(info.labels.names)}"
            )
        known, found = ~np.isnan(told), torch.from_numpy(told)
    else:
        others = [str(value) for value in list_used(path, y, of) if str(value) not in info.classes.names]
        if others:
            raise InputError(
                f"{path}: y has the labels {listing(others)}, but the run was trained on the classes "
                f"{listing(info.classes.names)}; relabel them, or leave them empty (-1)"
            )
        indices = index_classes(y, list(info.classes.values))
        known, found = indices != UNKNOWN, torch.from_numpy(indices)
    if not known.any():
        raise InputError(f"{path}: y has no label; there is nothing to score")
    return found
