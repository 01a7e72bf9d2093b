"""Stored statements: in tiles the same as of the whole, and formulas of what is stored beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from multiunet import Grid, GridPredictor, GridSource, Regression, Segmentation, UNet, open_prediction
from multiunet.geometries import Conv
from multiunet.prediction import PredictionStore
from multiunet.tasks import Task
from multiunet.uncertainty.conformal import SetMethod
from multiunet.uncertainty.statements import ClassSet, Interval, LabelSet, Statement

SPACE = (61, 47)
LIMITS = {"lac": 0.65, "aps": 0.55}


def predicted(path: Path, task: Task, channels: int, tile: int, statements: tuple[Statement, ...]) -> xr.Dataset:
    torch.manual_seed(0)
    net = UNet(Grid(2, block=Conv(convs=1, dropout=0.4)), 1, channels, [4, 6, 8]).eval()
    image = np.random.default_rng(0).normal(size=(1, *SPACE)).astype(np.float32)
    source = GridSource("x", SPACE, lambda a, b: image[(slice(None), *map(slice, a, b))], ("y", "x"))
    predictor = GridPredictor(net, task, Grid(2), torch.device("cpu"), tile=tile, statements=statements)
    with PredictionStore(path / f"{tile}.zarr") as store:
        predictor.into(store, source, samples=3)
    return open_prediction(path / f"{tile}.zarr")["x"]


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_in_tiles_are_those_of_the_whole(tmp_path: Path, method: SetMethod) -> None:
    stated = (ClassSet(0.9, method, LIMITS[method]),)
    task = Segmentation(["a", "b", "c"])
    tiled, whole = (predicted(tmp_path, task, 3, tile, stated) for tile in (16, 1000))
    assert tiled["set"].dtype == bool
    assert tiled["set"].dims == ("channel", "y", "x")
    np.testing.assert_array_equal(tiled["set"], whole["set"])
    sizes = tiled["set"].sum("channel").values
    assert set(np.unique(sizes)) >= {1, 2}, "a case worth testing"
    assert bool(np.take_along_axis(tiled["set"].values, tiled["class"].values[None].astype(int), 0).all())
    if method == "lac":
        np.testing.assert_array_equal(
            tiled["set"],
            (1 - tiled["mean"] <= np.float32(LIMITS[method])) | (tiled["mean"] == tiled["mean"].max("channel")),
        )


def test_intervals_in_tiles_are_those_of_the_whole(tmp_path: Path) -> None:
    task = Regression(["t", "u"], scale=[2.0, 3.0])
    tiled, whole = (predicted(tmp_path, task, 4, tile, (Interval(0.9, [1.5, 2.0]),)) for tile in (16, 1000))
    half = np.array([1.5, 2.0], dtype=np.float32)[:, None, None] * np.sqrt(tiled["total"].values)
    np.testing.assert_allclose(tiled["lower"], tiled["mean"] - half, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tiled["upper"], tiled["mean"] + half, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tiled["lower"], whole["lower"], atol=1e-4)
    assert list(tiled) == ["mean", "lower", "upper", "epistemic", "aleatoric", "total"]


def test_counts_have_no_interval_below_zero(tmp_path: Path) -> None:
    data = predicted(tmp_path, Regression(["n"], "poisson"), 1, 1000, (Interval(0.9, [3.0], lowest=0.0),))
    assert float(data["lower"].min()) == 0
    assert bool((data["upper"] > data["mean"]).all())


def test_sets_of_labels_have_each_label_by_itself(tmp_path: Path) -> None:
    task = Segmentation(["a", "b"], "multilabel")
    data = predicted(tmp_path, task, 2, 16, (LabelSet(0.9, [0.5, 0.4]),))
    limits = np.array([0.5, 0.4], dtype=np.float32)[:, None, None]
    np.testing.assert_array_equal(data["set"], 1 - data["mean"] <= limits)
