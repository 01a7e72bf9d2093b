"""Sums of calibrated predictions from a sample of sites, against sums of all sites calibrated one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet.domains.held_out_sums import HeldOutCounts, HeldOutItems, HeldOutRegions
from multiunet.domains.labelled import Piece
from multiunet.tasks import Regression, Segmentation
from multiunet.uncertainty import ClassCalibration, Moments, QuantityCalibration
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.region_sums import RegionSums
from multiunet.uncertainty.sums import ItemSums, Totals, count_totals, fit_items

TASK = Segmentation(["a", "b", "c"])


def class_images(count: int) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Probabilities and classes of images, each ignored in its first row."""
    torch.manual_seed(0)
    found = []
    for index in range(count):
        p = (2 * torch.randn(1, 3, 40, 50) + torch.randn(1, 3, 1, 1)).softmax(dim=1)
        target = torch.distributions.Categorical(p.movedim(1, -1)).sample()
        target[:, 0] = -1
        found.append((f"i{index}", p, target))
    return found


def moments_of(p: torch.Tensor) -> Moments[torch.Tensor]:
    total = p * (1 - p)
    return Moments(p, 0.25 * total, 0.75 * total)


def sample_of(images: list[tuple[str, torch.Tensor, torch.Tensor]], step: int) -> HeldOut:
    parts = []
    for name, p, target in images:
        mean, variance, truth = (part[::step] for part in TASK.known_sites(moments_of(p), target))
        parts.append(HeldOut(mean, variance, truth, torch.zeros(len(truth), dtype=torch.long), (name,)))
    return HeldOut.join(parts)


def whole(images: list[tuple[str, torch.Tensor, torch.Tensor]], calibration: ClassCalibration) -> ItemSums:
    columns = []
    for _, p, target in images:
        after, known = calibration.apply(moments_of(p)), (target != -1)[0]
        sums = [part[0][:, known].double().sum(dim=1) for part in (after.mean, after.total)]
        true = torch.bincount(target[0][known], minlength=3).double()
        columns.append(torch.stack([torch.full((3,), float(known.sum())), *sums, true]))
    sites, mean, variance, true = torch.stack(columns, dim=1).numpy()
    return fit_items(Totals(sites, mean, variance), true)


@pytest.mark.parametrize(("step", "tolerance"), [(1, 1e-6), (7, 0.01)])
def test_sums_of_calibrated_classes_from_a_sample(step: int, tolerance: float) -> None:
    images, calibration = class_images(6), ClassCalibration(1.6)
    held_out = HeldOutItems(TASK)
    for name, p, target in images:
        for rows in (slice(0, 13), slice(13, 40)):  # in pieces
            held_out.add(Piece(p[:, :, rows], target[:, rows], moments_of(p[:, :, rows]), name))
    found, expected = held_out.fit(calibration, sample_of(images, step)), whole(images, calibration)
    assert isinstance(found, ItemSums)
    assert found.items == (6, 6, 6)
    assert found.variance == pytest.approx(expected.variance, abs=tolerance)
    # in units of a site's deviation; of sampled sites alone it would be uncertain by 1 / sqrt(6 * 280) = 0.024
    assert found.bias == pytest.approx(expected.bias, abs=tolerance)


def test_rows_without_an_item_are_items_of_one_site() -> None:
    torch.manual_seed(1)
    p = torch.randn(30, 3).softmax(dim=1)
    target = torch.arange(30) % 3
    target[:3] = -1
    held_out = HeldOutItems(TASK)
    held_out.add(Piece(p, target, moments_of(p)))
    nothing = HeldOut(p[:0], p[:0], target[:0], target[:0], ())
    found = held_out.fit(ClassCalibration(2.0), nothing)
    after = ClassCalibration(2.0).apply(moments_of(p))
    mean, variance = (part[3:].double().numpy() for part in (after.mean, after.total))
    expected = fit_items(Totals(np.ones((27, 3)), mean, variance), np.eye(3)[target[3:]])
    assert isinstance(found, ItemSums)
    assert found.deviation == pytest.approx(expected.deviation)
    assert found.items == (27, 27, 27)


def test_quantities_that_were_not_measured_are_left_out() -> None:
    task, held_out = Regression(["u", "v"], "mse"), HeldOutItems(Regression(["u", "v"], "mse"))
    assert task.names == ("u", "v")
    for index in range(4):
        mean, target = torch.full((1, 2, 5, 5), 2.0), torch.full((1, 2, 5, 5), 2.0 + 0.1 * index)
        target[:, 1, :4] = float("nan")
        if index == 3:
            target[:, 1] = float("nan")
        held_out.add(Piece(mean, target, Moments(mean, 0 * mean, 0 * mean + 0.5), f"i{index}"))
    nothing = torch.zeros(0, 2)
    sampled = HeldOut(nothing, nothing, nothing, torch.zeros(0, dtype=torch.long), ())
    found = held_out.fit(QuantityCalibration([1.0, 1.0]), sampled)
    assert isinstance(found, ItemSums)
    assert found.items == (4, 3)
    # mean errors 0, -0.1, -0.2 of 5 sites, in units of sqrt(n V) = n sqrt(0.5)
    assert found.bias[1] == pytest.approx(-0.1 / 0.5**0.5)


def test_left_out_and_joined() -> None:
    images, parts = class_images(5), []
    for some in (images[:3], images[3:]):
        held_out = HeldOutItems(TASK)
        for name, p, target in some:
            held_out.add(Piece(p, target, moments_of(p), name))
        parts.append(held_out)
    joined, calibration = parts[0].join(parts[1]), ClassCalibration(1.0)
    assert [item.name for item in joined.items] == ["i0", "i1", "i2", "i3", "i4"]
    rest = joined.without(["i1"]).fit(calibration, sample_of(images, 1))
    assert rest == whole([images[0], *images[2:]], calibration)
    assert joined.without(["i0", "i1", "i2", "i3"]).fit(calibration, sample_of(images, 1)) is None


def test_regions_of_chromosomes() -> None:
    task, held_out = Regression(["t"], "mse"), HeldOutRegions(Regression(["t"], "mse"))
    assert task.names == ("t",)
    torch.manual_seed(2)
    for name in ("chrA", "chrB", "chrC"):
        mean = torch.randn(1, 1, 400)
        target = mean + torch.randn(1, 1, 400)
        target[..., 7] = float("nan")
        held_out.add(Piece(mean, target, Moments(mean, 0 * mean, 0 * mean + 0.5), name))
    nothing = torch.zeros(0, 1)
    sampled = HeldOut(nothing, nothing, nothing, torch.zeros(0, dtype=torch.long), ())
    found = held_out.fit(QuantityCalibration([2.0]), sampled)
    assert isinstance(found, RegionSums)
    assert found.groups == 3
    assert found.effects[0][0] == pytest.approx(1, rel=0.1)  # with the factor, as stated, and independent
    assert held_out.without(["chrA", "chrB"]).fit(QuantityCalibration([2.0]), sampled) is None


def test_counts_of_objects() -> None:
    held_out, empty = HeldOutCounts(), torch.zeros(0, 1)
    for index, (found, true) in enumerate([(10, 12), (20, 21), (0, 1), (40, 38), (15, 15)]):
        held_out.add(Piece(empty, empty, item=f"i{index}", counts=((found,), (true,))))
    held_out.add(Piece(empty, empty, item="not counted"))
    sampled = HeldOut(empty, empty, empty, torch.zeros(0, dtype=torch.long), ())
    fit = held_out.fit(ClassCalibration(1.0), sampled)
    assert isinstance(fit, ItemSums)
    assert fit.items == (5,)
    stated = fit.interval(count_totals(np.array([20.0])))
    assert stated.low[0] < 20 < stated.high[0]
    assert held_out.without(["i0"]).join(HeldOutCounts([("i9", (3,), (3,))])).counts[-1] == ("i9", (3,), (3,))
    assert HeldOutCounts([("a", (1,), (1,))]).fit(ClassCalibration(1.0), sampled) is None
