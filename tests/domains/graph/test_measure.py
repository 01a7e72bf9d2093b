"""Shares of classes in graphs and their intervals, against sums by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from multiunet.domains.graph.measure import measure
from multiunet.domains.graph.options import GraphMeasure
from multiunet.domains.inference import measure as measure_any
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore
from multiunet.uncertainty import Moments
from multiunet.uncertainty.sums import Totals, fit_items

CLASSES = {"g": [0.25, 0.25, 0.75, 0.25], "h": [0.75, 0.75]}
"""Probability of the second class of each node."""


def stored(path: Path, graphs: dict[str, list[float]], sums: dict[str, object] | None = None) -> Path:
    attrs = {} if sums is None else {"calibration": {"sums": {"sites": sums}}}
    with PredictionStore(path, attrs) as store:
        for name, probabilities in graphs.items():
            p = torch.tensor(probabilities)
            mean, nodes = torch.stack([1 - p, p]), len(p)
            splits = np.array(["train", *["test"] * (nodes - 1)], dtype=object)
            item = store.item(
                name, names=["a", "b"], dims=("node",), shape=(nodes,), coords={"split": ("node", splits)}, decided=True
            )
            item.write((slice(0, nodes),), Moments(mean, 0 * mean, mean * (1 - mean)), (p > 0.5).long())
    return path


def test_nodes_of_a_graph_are_items_of_their_own(tmp_path: Path) -> None:
    """A new sum of four nodes, of whose class 40 held-out nodes had none: by the interval of a normal sample."""
    rng, p = np.random.default_rng(0), np.full((40, 2), [0.75, 0.25])
    true = np.eye(2)[(rng.random(40) < 0.4).astype(int)]
    fit = fit_items(Totals(np.ones((40, 2)), p, p * (1 - p)), true)
    path = stored(tmp_path / "p.zarr", {"g": [0.25] * 4}, fit.as_dict())
    _, second = measure(GraphMeasure(prediction=path), together=False)
    errors = 0.25 - true[:, 1]
    half = stats.t.ppf(0.95, 39) * errors.std(ddof=1) * math.sqrt(1 / 4 + 1 / 40)
    assert (second.sites, second.predicted) == (4, 0)
    assert second.estimate == pytest.approx(0.25 - errors.mean())
    assert second.high == pytest.approx(0.25 - errors.mean() + half)


def test_each_graph_and_all_together(tmp_path: Path) -> None:
    rows = measure(GraphMeasure(prediction=stored(tmp_path / "p.zarr", CLASSES)), together=True)
    assert [(row.graph, row.name, row.sites, row.predicted, row.pooled) for row in rows] == [
        ("g", "a", 4, 0.75, False),
        ("g", "b", 4, 0.25, False),
        ("h", "a", 2, 0.0, False),
        ("h", "b", 2, 1.0, False),
        ("all", "a", 6, 0.5, True),
        ("all", "b", 6, 0.5, True),
    ]
    assert rows[5].estimate == pytest.approx((3 * 0.25 + 0.75 + 2 * 0.75) / 6)
    assert rows[5].low is None


def test_graphs_held_out_as_wholes_have_intervals_as_wholes(tmp_path: Path) -> None:
    sites = np.full((5, 2), 4.0)
    mean = 0.5 * sites
    shifts = np.array([0.4, -0.4, 0.8, 0.0, -0.8])[:, None] * np.array([1, -1])
    fit = fit_items(Totals(sites, mean, 0.1875 * sites), mean - shifts)
    path = stored(tmp_path / "p.zarr", {"g": [0.25] * 4}, fit.as_dict())
    _, second = measure(GraphMeasure(prediction=path), together=True)
    half = stats.t.ppf(0.95, 4) * shifts[:, 1].std(ddof=1) * math.sqrt(1 + 1 / 5) / 4
    assert second.high == pytest.approx(0.25 + half)


def test_a_split_alone(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", CLASSES)
    rows = measure(GraphMeasure(prediction=path, split="test"), together=True)
    assert [row.sites for row in rows] == [3, 3, 1, 1, 4, 4]
    with pytest.raises(InputError, match="no site of the val split"):
        measure(GraphMeasure(prediction=path, split="val"), together=True)


def test_the_command_writes_a_table(tmp_path: Path) -> None:
    found = measure_any("graphs", {"prediction": stored(tmp_path / "p.zarr", CLASSES)}, tmp_path / "out")
    with open(tmp_path / "out" / "shares.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["predicted"] for row in rows] == [str(row["predicted"]) for row in found["rows"]]
    assert rows[0]["low"] == ""
