"""Shares of classes and means of quantities in predicted graphs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.graph.options import GraphMeasure
from multiunet.errors import InputError
from multiunet.files import check_folder, csv_text, write_text
from multiunet.prediction import open_datasets
from multiunet.prediction.totals import LEVEL, least_value, open_sums, sum_rows, sum_sites
from multiunet.uncertainty.sums import SumCalibration, Totals

ALL = "all"
"""Stands for all graphs together, unless a graph has this name: ``ShareRow.pooled`` tells."""


@dataclass(frozen=True)
class ShareRow:
    """Class or quantity in a graph, or in all graphs: a row of ``shares.csv``.

    Attributes:
        pooled: whether this is of all graphs together.
        name: of the class or quantity.
        sites: nodes, or graphs where graphs as a whole were predicted.
        predicted: share of them that are predicted to be of the class, by the largest probability; of quantities None.
        estimate: mean of the class's probability, or of the quantity, over the sites; where low and high are known,
            less the error common to all held-out sites.
        low, high: the truth is between them with a probability of 90 %.
        sd: half the width of the interval of 68 %. These three are None in predictions of a run whose sums are not
            calibrated.
    """

    graph: str
    pooled: bool
    name: str
    sites: int
    predicted: float | None
    estimate: float | None
    low: float | None
    high: float | None
    sd: float | None


def measure(options: GraphMeasure, together: bool) -> list[ShareRow]:
    """Measure each predicted graph, and all together where there are several.

    Args:
        together: whether the nodes of a graph were held out together, as those of a set of graphs are.

    Raises:
        InputError: for a prediction without graphs, or without what the options ask for.
    """
    found = {name: _choose(options, name, data) for name, data in open_datasets(options.prediction).items()}
    graphs = {name: data for name, data in found.items() if data["mean"].shape[1]}
    if not graphs:
        asked = "no graph" if options.split is None else f"no site of the {options.split} split"
        raise InputError(f"{options.prediction}: holds {asked}")
    sums = open_sums(options.prediction).get("sites")
    of_nodes = {name: together and "node" in data.sizes for name, data in graphs.items()}
    totals = {name: sum_sites(data) if of_nodes[name] else sum_rows(data) for name, data in graphs.items()}
    least = least_value(options.prediction)
    rows = [row for name, data in graphs.items() for row in _rows(name, False, [data], totals[name], sums, least)]
    if len(graphs) > 1:
        rows += _rows(ALL, True, list(graphs.values()), Totals.join(list(totals.values())), sums, least)
    return rows


def _choose(options: GraphMeasure, name: str, data: xr.Dataset) -> xr.Dataset:
    """Return the sites of the split that is asked for."""
    if options.split is None:
        return data
    if "split" not in data.coords:
        raise InputError(
            f"{options.prediction}: {name} is not of the data that the run was trained on, so it has no split; leave "
            "`split` out"
        )
    return data.isel({str(data["mean"].dims[1]): np.flatnonzero(data["split"].values == options.split)})


def _rows(
    graph: str, pooled: bool, data: Sequence[xr.Dataset], totals: Totals, sums: SumCalibration | None, least: float
) -> list[ShareRow]:
    sites, classes = totals.sites.sum(axis=0), "class" in data[0]
    names = [str(name) for name in data[0]["channel"].values]
    columns = [totals.mean.sum(axis=0) / sites, *np.full((3, len(names)), np.nan)]
    if sums is not None:
        found = sums.interval(totals, LEVEL)
        columns = [part / sites for part in (found.estimate, found.low, found.high, found.deviation)]
    columns[:3] = [part.clip(*((0, 1) if classes else (least, None))) for part in columns[:3]]
    decided: list[float | None] = [None] * len(names)
    if classes:
        counts = sum(_count_decided(item["class"], len(names)) for item in data)
        decided = (counts / sites).tolist()
    table = np.stack(columns, axis=1).tolist()
    plain = [[None if value != value else value for value in row] for row in table]
    heads = zip(names, sites.astype(int).tolist(), decided)
    return [ShareRow(graph, pooled, *head, *row) for head, row in zip(heads, plain)]


def _count_decided(decided: xr.DataArray, names: int) -> NDArray[np.integer]:
    """Count the sites that are decided for each name; of several labels each has an answer of its own."""
    if "channel" in decided.dims:
        of_each: NDArray[np.integer] = decided.values.reshape(names, -1).sum(axis=1)
        return of_each
    return np.bincount(decided.values.reshape(-1), minlength=names)


def write_shares(rows: Sequence[ShareRow], folder: Path, overwrite: bool) -> list[Path]:
    """Write ``shares.csv``; return it.

    Raises:
        InputError: when the folder has files already, unless they may be overwritten, or cannot be written.
    """
    check_folder(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    path, columns = folder / "shares.csv", [item.name for item in fields(ShareRow)]
    write_text(path, csv_text([columns, *([getattr(row, column) for column in columns] for row in rows)]))
    return [path]


def measure_shares(options: GraphMeasure, folder: Path | None, together: bool) -> dict[str, Any]:
    """Measure a prediction; write a table into the folder, if any; see ``Domain.measure``."""
    if folder is not None:
        check_folder(folder, options.overwrite)
    rows = measure(options, together)
    files = [] if folder is None else write_shares(rows, folder, options.overwrite)
    return {"rows": [asdict(row) for row in rows], "files": [str(file) for file in files]}
