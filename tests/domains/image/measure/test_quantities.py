from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure import quantities
from multiunet.domains.image.measure.quantities import QuantityRow, measure_quantities, widen
from multiunet.domains.image.measure.run import run_measures
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore
from multiunet.uncertainty import Moments
from multiunet.uncertainty.sums import ItemSums, Totals, fit_items

SHAPE = (30, 40)


def fitted(names: int) -> ItemSums:
    return ItemSums((9,) * names, (0.01,) * names, (0.02,) * names, (0.01,) * names, (1.2,) * names, (0.5,) * names)


def stored(path: Path, images: list[str], names: tuple[str, ...] = ("density",), **attrs: Any) -> dict[str, np.ndarray]:
    """Store random means of variance 0.25 + 0.25; return the means."""
    means = {}
    with PredictionStore(path, attrs) as store:
        for place, image in enumerate(images):
            mean = torch.rand(len(names), *SHAPE, generator=torch.Generator().manual_seed(place))
            item = store.item(image, names=names, dims=("y", "x"), shape=SHAPE, attrs={"crop_bar": 4})
            quarter = torch.full_like(mean, 0.25)
            item.write((slice(0, 30), slice(0, 40)), Moments(mean, quarter, quarter))
            means[image] = mean.numpy().astype(np.float64)
    return means


def test_sums_and_means_of_images_and_of_all_together(tmp_path: Path) -> None:
    fit = fitted(1)
    means = stored(tmp_path / "p.zarr", ["a", "b"], calibration={"sums": {"sites": fit.as_dict()}})
    rows = measure_quantities(ImageMeasure(prediction=tmp_path / "p.zarr"))
    assert [(row.image, row.pooled, row.region) for row in rows] == [
        ("a", False, None),
        ("b", False, None),
        ("all", True, None),
    ]
    for row in rows[:2]:
        assert row.sum == pytest.approx(means[row.image].sum())
        assert row.mean == pytest.approx(means[row.image].mean())
        one = np.ones((1, 1))
        found = fit.interval(Totals(1200 * one, row.sum * one, 600 * one), 0.9)
        assert (row.estimate, row.low, row.high, row.sd) == pytest.approx(
            (*found.estimate, *found.low, *found.high, *found.deviation)
        )
        assert row.low is not None
        assert row.mean_low == pytest.approx(row.low / 1200)
    assert rows[2].sum == pytest.approx(rows[0].sum + rows[1].sum)
    assert rows[2].pixels == 2400


def test_without_calibration_no_interval_is_stated(tmp_path: Path) -> None:
    stored(tmp_path / "p.zarr", ["a"])
    [row] = measure_quantities(ImageMeasure(prediction=tmp_path / "p.zarr"))
    assert row.sum > 0
    assert (row.estimate, row.low, row.high, row.sd, row.mean_low, row.mean_high) == (None,) * 6


@pytest.mark.parametrize("bar", [0, 4])
@pytest.mark.parametrize("block", [1 << 22, 100])
def test_regions_partition_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: int, block: int) -> None:
    monkeypatch.setattr(quantities, "BLOCK", block)
    means = stored(tmp_path / "p.zarr", ["a", "b"], ("q", "r"), calibration={"sums": {"sites": fitted(2).as_dict()}})
    (tmp_path / "regions").mkdir()
    masks = {}
    for place, name in enumerate(means):
        masks[name] = np.random.default_rng(place).integers(0, 3, SHAPE) * 7
        covering = np.pad(masks[name], ((0, bar), (0, 0)))
        tifffile.imwrite(tmp_path / f"regions/{name}_mask.tif", covering.astype(np.uint16))
    found = run_measures(ImageMeasure(prediction=tmp_path / "p.zarr", regions=tmp_path / "regions"), tmp_path / "out")
    rows = [QuantityRow(**row) for row in found["rows"]]
    regions = [row for row in rows if row.region is not None]
    assert {(row.image, row.region, row.quantity) for row in regions} == {
        (image, number, name) for image in "ab" for number in (7, 14) for name in "qr"
    }
    for row in regions:
        inside = masks[row.image] == row.region
        assert row.pixels == inside.sum()
        assert row.sum == pytest.approx(means[row.image]["qr".index(row.quantity), inside].sum())
    with open(found["files"][0], newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows) == 2 * 2 * 3 + 2
    assert table[1]["region"] == ""


def test_regions_that_do_not_fit(tmp_path: Path) -> None:
    stored(tmp_path / "p.zarr", ["a", "b"])
    (tmp_path / "regions").mkdir()
    options = ImageMeasure(prediction=tmp_path / "p.zarr", regions=tmp_path / "regions")
    tifffile.imwrite(tmp_path / "regions/a.tif", np.ones(SHAPE, np.uint8))
    with pytest.raises(InputError, match="regions: no mask of regions for b; name it like the predicted image"):
        measure_quantities(options)
    tifffile.imwrite(tmp_path / "regions/b.tif", np.ones((30, 41), np.uint8))
    with pytest.raises(InputError, match=r"b.tif: is 30 x 41, but the predicted image is 30 x 40; regions are pixels"):
        measure_quantities(options)
    with pytest.raises(InputError, match="holds quantities, not classes, so `objects` counts none"):
        run_measures(ImageMeasure(prediction=tmp_path / "p.zarr", objects=["a"]), None)


def smooth_errors(rng: np.random.Generator, side: int, reach: int) -> np.ndarray:
    """Errors that are alike within ``reach`` pixels, of variance 1 about; and a shift that the whole image shares."""
    coarse = rng.normal(size=(-(-side // reach),) * 2).repeat(reach, 0).repeat(reach, 1)[:side, :side]
    return coarse + 0.1 * rng.normal()


def test_intervals_of_regions_cover_whatever_their_size() -> None:
    """Errors are correlated over 8 pixels and, weakly, over the image, of which the stated variance knows nothing."""
    rng, side = np.random.default_rng(0), 64
    held_out = np.array([smooth_errors(rng, side, 8).sum() for _ in range(20)])
    pixels = np.full((20, 1), float(side * side))
    fit = fit_items(Totals(pixels, held_out[:, None], pixels), np.zeros((20, 1)))
    for edge in (2, 8, 16, 64):
        sites, inside = np.array([float(edge * edge)]), 0
        region = widen(fit, sites, pixels[0])
        for _ in range(400):
            error = smooth_errors(rng, side, 8)[:edge, :edge].sum()
            found = region.interval(Totals(sites[None], np.array([[error]]), sites[None]), 0.9)
            inside += bool(found.low[0] <= 0 <= found.high[0])
        assert inside / 400 > 0.85, edge
    assert 0.85 < inside / 400 < 0.96  # the whole image: as fitted


@pytest.mark.parametrize("lowest", [None, 0.0])
def test_a_sum_that_cannot_be_negative_has_no_interval_below_zero(tmp_path: Path, lowest: float | None) -> None:
    """Held out, all sums came out far too high, so that the interval reaches below 0."""
    fit = ItemSums((9,), (0.01,), (30.0,), (0.01,), (1.2,), (0.5,))
    stored(tmp_path / "p.zarr", ["a"], lowest=lowest, calibration={"sums": {"sites": fit.as_dict()}})
    [row] = measure_quantities(ImageMeasure(prediction=tmp_path / "p.zarr"))
    assert row.sum > 0
    ends = (row.estimate, row.low, row.high, row.mean_low)
    assert all(end is not None and end < 0 for end in ends) if lowest is None else ends == (0, 0, 0, 0)
