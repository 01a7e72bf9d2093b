"""Sums over stored sites against those of the whole in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.prediction import PredictionStore, open_prediction
from multiunet.prediction.totals import open_sums, sum_sites
from multiunet.uncertainty import Moments


@pytest.mark.parametrize("chunks", [(4, 5), (7, 11)])
def test_sums_are_those_of_the_whole(tmp_path: Path, chunks: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiunet.prediction.totals.BLOCK", 100)
    mean = torch.rand(3, 14, 11, generator=torch.Generator().manual_seed(0))
    mean[1, 3:5] = float("nan")
    with PredictionStore(tmp_path / "p.zarr") as store:
        item = store.item("a", names=list("abc"), dims=("y", "x"), shape=(14, 11), chunks=chunks)
        item.write((slice(0, 14), slice(0, 11)), Moments(mean, mean / 4, mean / 2))
    [data] = open_prediction(tmp_path / "p.zarr").values()
    found = sum_sites(data)
    assert found.sites.tolist() == [[154, 132, 154]]
    np.testing.assert_allclose(found.mean[0], np.nansum(mean.double(), axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.variance[0], 0.75 * found.mean[0], rtol=1e-6)


def test_a_prediction_without_intervals_has_none(tmp_path: Path) -> None:
    with PredictionStore(tmp_path / "p.zarr"):
        pass
    assert open_sums(tmp_path / "p.zarr") == {}
