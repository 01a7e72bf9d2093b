"""Intervals of shares of classes against the interval of a normal sample, computed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure.phases import PhaseRow, measure
from multiunet.domains.image.measure.shares import Share, state_count, state_shares
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore
from multiunet.uncertainty import Moments
from multiunet.uncertainty.sums import Totals, count_totals, fit_items

ERRORS = np.array([0.02, -0.01, 0.03, 0.01])
"""Of the fraction of the second class in four held-out images of 200 pixels, each with the probability 0.1."""


def fitted(names: int = 2) -> dict[str, object]:
    """Intervals of sums as a store has them, of the errors above."""
    sites, p = np.full((4, names), 200.0), np.full((4, names), 0.1)
    signs = np.array([-1, 1, 0][:names])
    true = (p - ERRORS[:, None] * signs) * sites
    return {"sums": {"sites": fit_items(Totals(sites, p * sites, p * (1 - p) * sites), true).as_dict()}}


def stored(path: Path, probabilities: list[float], spacing: float = 1.0, **attrs: object) -> Path:
    """A prediction of images of 10 x 20 with this probability of the second class everywhere."""
    with PredictionStore(path, attrs) as store:
        for index, p in enumerate(probabilities):
            item = store.item(
                *(f"i{index}",),
                names=["0", "7"],
                dims=("y", "x"),
                shape=(10, 20),
                decided=True,
                attrs={"spacing": [spacing] * 2, "unit": "µm"},
            )
            mean = torch.tensor([1 - p, p]).reshape(2, 1, 1).expand(2, 10, 20)
            variance = mean * (1 - mean)
            everywhere = (slice(0, 10), slice(0, 20))
            item.write(everywhere, Moments(mean, 0 * mean, variance), torch.zeros(10, 20, dtype=torch.int64))
            item.write_fractions(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    return path


def of_seven(path: Path) -> list[PhaseRow]:
    return [phase for phase in measure(ImageMeasure(prediction=path)).phases if phase.phase == "7"]


def test_a_class_that_is_never_predicted_has_an_interval(tmp_path: Path) -> None:
    [seven] = of_seven(stored(tmp_path / "p.zarr", [0.1], spacing=0.5, calibration=fitted()))
    half = stats.t.ppf(0.95, 3) * ERRORS.std(ddof=1) * math.sqrt(1 + 1 / 4)
    assert (seven.fraction, seven.samples_sd) == (0, 0)
    assert seven.fraction_estimate == pytest.approx(0.1 - ERRORS.mean(), rel=1e-5)
    assert seven.fraction_low == pytest.approx(0.1 - ERRORS.mean() - half, rel=1e-5)
    assert seven.fraction_high == pytest.approx(0.1 - ERRORS.mean() + half, rel=1e-5)
    one = stats.t.ppf(stats.norm.cdf(1), 3) * ERRORS.std(ddof=1) * math.sqrt(1 + 1 / 4)
    assert seven.fraction_sd == pytest.approx(one, rel=1e-5)
    assert seven.area_high == pytest.approx(seven.fraction_high * 200 * 0.25)


def test_images_together_are_surer_but_not_of_what_they_share(tmp_path: Path) -> None:
    *_, pooled = of_seven(stored(tmp_path / "p.zarr", [0.1] * 5, calibration=fitted()))
    half = stats.t.ppf(0.95, 3) * ERRORS.std(ddof=1) * math.sqrt(1 / 5 + 1 / 4)
    assert pooled.pooled
    assert pooled.fraction_high == pytest.approx(0.1 - ERRORS.mean() + half, rel=1e-5)


def test_shares_are_cut_at_0_and_1(tmp_path: Path) -> None:
    outside, seven = measure(ImageMeasure(prediction=stored(tmp_path / "p.zarr", [0.002], calibration=fitted()))).phases
    assert seven.fraction_low == 0
    assert outside.fraction_high == 1


def test_without_a_fit_there_is_no_interval(tmp_path: Path) -> None:
    [seven] = of_seven(stored(tmp_path / "p.zarr", [0.1]))
    assert (seven.fraction_estimate, seven.fraction_low, seven.area_high) == (None, None, None)


def test_large_pixels_count_by_their_area() -> None:
    """Two images of equal numbers of pixels, those of the second four times as large."""
    fit = fit_items(
        Totals(np.full((3, 1), 100.0), np.full((3, 1), 50.0), np.full((3, 1), 25.0)), np.array([[50.0], [40], [45]])
    )
    totals = Totals(np.full((2, 1), 100.0), np.array([[20.0], [70]]), np.full((2, 1), 25.0))
    [share] = state_shares({"sites": fit}, totals, [1.0, 4.0])
    deviation = stats.t.ppf(0.95, 2) * 0.05 * math.sqrt(0.2**2 + 0.8**2 + 1 / 3)
    assert share.estimate == pytest.approx(0.2 * 0.2 + 0.8 * 0.7 - 0.05)
    assert share.high == pytest.approx(0.6 - 0.05 + deviation)


def test_the_rest_of_a_share() -> None:
    rest = Share(0.3, 0.1, 0.2, 0.45).rest()
    assert (rest.estimate, rest.deviation, rest.low, rest.high) == (0.7, 0.1, 0.55, 0.8)
    assert Share().rest() == Share()


def test_damaged_intervals_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.zarr: its intervals of sums cannot be read"):
        of_seven(stored(tmp_path / "p.zarr", [0.1], calibration={"sums": {"sites": {"of": "items"}}}))


def test_counts_of_objects_in_one_image_and_in_all() -> None:
    """Of images of equal counts: the interval of a normal sample of the errors."""
    counts, errors = np.full(4, 20.0), np.array([2.0, -1, 3, 0])
    sums = {"objects": fit_items(count_totals(counts), (counts - errors)[:, None])}
    spread = stats.t.ppf(0.95, 3) * errors.std(ddof=1)
    low, high = state_count(sums, [20])
    assert high == pytest.approx(20 - errors.mean() + spread * math.sqrt(1 + 1 / 4))
    assert low == pytest.approx(20 - errors.mean() - spread * math.sqrt(1 + 1 / 4))
    _, together = state_count(sums, [20, 20])
    assert together == pytest.approx(40 - 2 * errors.mean() + spread * math.sqrt(2 + 4 / 4))
    assert state_count({}, [20]) == state_count(sums, []) == (None, None)
    assert state_count(sums, [0])[0] == 0
    made_up = {"objects": fit_items(count_totals(counts), np.array([[1.0], [2], [0], [1]]))}  # nearly all are not there
    low, high = state_count(made_up, [1])
    assert low == 0
    assert high is not None
    assert high >= 0
