"""Predictions of nodes, or of graphs, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.graph.info import GraphInfo
from multiunet.files import csv_text, write_text
from multiunet.prediction import open_datasets
from multiunet.prediction.group_names import FreeNames, group_name

VARIANCES = ("epistemic", "aleatoric", "total")
ENDS = ("lower", "upper")

JOIN = "|"
"""Sign between the names of a set."""


def export(prediction: Path, folder: Path, info: GraphInfo, site: str = "node") -> list[Path]:
    """Write ``NAME.csv`` for each item of a prediction, a line a ``site``; return the files.

    - where they are known, ``split`` and ``target`` (of several quantities ``NAME_target``) come after the ``id``;
    - classes: ``class, p_CLASS ..., epistemic, aleatoric, total``; the variances summed over the classes, so that
      ``total`` is ``1 - sum p^2``, the probability that two draws from the prediction differ;
    - quantities: for each ``NAME, NAME_epistemic, NAME_aleatoric, NAME_total``, in its units (squared);
    - several labels: for each ``NAME`` (1 where it is there), ``p_NAME, NAME_epistemic, NAME_aleatoric, NAME_total``;
    - where the prediction states them, ``set``, the names of the classes in it joined by ``|``, comes after ``class``,
      and ``NAME_lower, NAME_upper`` after ``NAME``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, free = [], FreeNames()
    for name, dataset in open_datasets(prediction).items():
        predicted = _BY_KIND[info.target.kind](dataset, info)
        columns = _known(dataset, info) | predicted
        rows = zip(dataset[site].values.tolist(), *(column.tolist() for column in columns.values()))
        written.append(folder / f"{free.give(group_name(name), name)}.csv")
        write_text(written[-1], csv_text([["id", *columns], *rows]))
    return written


def _known(dataset: xr.Dataset, info: GraphInfo) -> dict[str, NDArray[np.object_]]:
    columns = {"split": dataset["split"].values} if "split" in dataset.coords else {}
    if "target" not in dataset.coords:
        return columns
    target = dataset["target"].values
    if info.target.kind == "classes":
        return columns | {"target": target}
    names = info.target.names
    labels = ["target"] if len(names) == 1 else [f"{name}_target" for name in names]
    shown = [[None if np.isnan(value) else value for value in _plain(row)] for row in target]
    return columns | {label: np.array(row, dtype=object) for label, row in zip(labels, shown)}


def _classes(dataset: xr.Dataset, info: GraphInfo) -> dict[str, NDArray[np.object_]]:
    names = np.array(info.classes.names, dtype=object)
    columns = {"class": names[dataset["class"].values]}
    if "set" in dataset:
        columns["set"] = _joined(info.classes.names, dataset["set"].values)
    columns |= {f"p_{name}": _plain(p) for name, p in zip(names, dataset["mean"].values)}
    return columns | {variance: _plain(dataset[variance].values.sum(axis=0)) for variance in VARIANCES}


def _quantities(dataset: xr.Dataset, info: GraphInfo) -> dict[str, NDArray[np.object_]]:
    columns = {}
    for index, name in enumerate(info.quantities.names):
        columns[name] = _plain(dataset["mean"].values[index])
        columns |= {f"{name}_{end}": _plain(dataset[end].values[index]) for end in ENDS if end in dataset}
        columns |= {f"{name}_{variance}": _plain(dataset[variance].values[index]) for variance in VARIANCES}
    return columns


def _labels(dataset: xr.Dataset, info: GraphInfo) -> dict[str, NDArray[np.object_]]:
    columns: dict[str, NDArray[np.object_]] = {}
    for index, name in enumerate(info.labels.names):
        columns[name] = dataset["class"].values[index].astype(int).astype(object)
        columns[f"p_{name}"] = _plain(dataset["mean"].values[index])
        columns |= {f"{name}_{variance}": _plain(dataset[variance].values[index]) for variance in VARIANCES}
    return columns


_BY_KIND = {"classes": _classes, "labels": _labels, "quantities": _quantities}


def _joined(names: Sequence[str], sets: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the names in each row's set, given ``(names, rows)``; in a name the sign that joins is quoted."""
    quoted = [name.replace(JOIN, "%7C") for name in names]
    rows = [JOIN.join(name for name, inside in zip(quoted, row) if inside) for row in sets.T]
    return np.array(rows, dtype=object)


def _plain(values: NDArray[np.floating]) -> NDArray[np.object_]:
    """Return the shortest decimals that give the same float32 back."""
    return np.array([float(str(value)) for value in values.astype(np.float32)])
