"""Predictions of nodes, or of graphs, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from multiunet.domains.domain import Facts
from multiunet.files import csv_text, write_text
from multiunet.prediction import open_prediction
from multiunet.prediction.group_names import group_name

VARIANCES = ("epistemic", "aleatoric", "total")


def export(prediction: Path, folder: Path, facts: Facts, site: str = "node") -> list[Path]:
    """Writes ``NAME.csv`` for each item of a prediction into ``folder``, a line a ``site``; returns them.

    - classes: ``id, class, p_CLASS ..., epistemic, aleatoric, total``; the variances summed over the classes, so that
      ``total`` is ``1 - sum p^2``, the probability that two draws from the prediction differ;
    - quantities: ``id``, then for each ``NAME, NAME_epistemic, NAME_aleatoric, NAME_total``, in its units (squared).
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, dataset in open_prediction(prediction).items():
        columns = _classes(dataset, facts) if facts["task"] == "classification" else _quantities(dataset, facts)
        rows = zip(dataset[site].values.tolist(), *(column.tolist() for column in columns.values()))
        written.append(folder / f"{group_name(name)}.csv")
        write_text(written[-1], csv_text([["id", *columns], *rows]))
    return written


def _classes(dataset: xr.Dataset, facts: Facts) -> dict[str, np.ndarray]:
    names = np.array(facts["classes"], dtype=object)
    columns = {"class": names[dataset["class"].values]}
    columns |= {f"p_{name}": _plain(p) for name, p in zip(names, dataset["mean"].values)}
    return columns | {variance: _plain(dataset[variance].values.sum(axis=0)) for variance in VARIANCES}


def _quantities(dataset: xr.Dataset, facts: Facts) -> dict[str, np.ndarray]:
    columns = {}
    for index, name in enumerate(facts["targets"]):
        columns[name] = _plain(dataset["mean"].values[index])
        columns |= {f"{name}_{variance}": _plain(dataset[variance].values[index]) for variance in VARIANCES}
    return columns


def _plain(values: np.ndarray) -> np.ndarray:
    """The shortest decimals that give the same float32 back."""
    return np.array([float(str(value)) for value in values.astype(np.float32)])
