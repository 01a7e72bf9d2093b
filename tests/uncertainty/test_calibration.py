from __future__ import annotations

import pytest
import torch

from multiunet.tasks import Segmentation
from multiunet.uncertainty import ClassCalibration, Moments, QuantityCalibration, Welford


def _moments(rows: int = 7, classes: int = 3) -> Moments[torch.Tensor]:
    """Return the moments of four samples of a classifier."""
    generator, stream, task = torch.Generator().manual_seed(0), Welford(), Segmentation(["a", "b", "c"][:classes])
    for _ in range(4):
        stream.add(*task.distribution(3 * torch.randn((rows, classes), generator=generator)))
    return stream.moments()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logarithm_of_the_mean_of_samples(temperature: float) -> None:
    moments = _moments()
    found = ClassCalibration(temperature).apply(moments)
    powered = moments.mean ** (1 / temperature)
    torch.testing.assert_close(found.mean, powered / powered.sum(dim=1, keepdim=True))
    torch.testing.assert_close(found.total, found.mean * (1 - found.mean))
    torch.testing.assert_close(found.epistemic / found.total, moments.epistemic / moments.total)


def test_two_classes_are_the_logit_of_one_divided() -> None:
    moments = _moments(classes=2)
    found = ClassCalibration(1.7).apply(moments)
    torch.testing.assert_close(found.mean[:, 1], torch.sigmoid(torch.logit(moments.mean[:, 1]) / 1.7))


def test_labels_that_do_not_exclude_each_other_have_each_its_own_logit() -> None:
    p = torch.tensor([[0.9, 0.8], [0.5, 0.01]])
    found = ClassCalibration(2.0, "multilabel").apply(Moments(p, 0 * p, p * (1 - p)))
    torch.testing.assert_close(found.mean, torch.sigmoid(torch.logit(p) / 2))


def test_certain_sites_stay_finite_and_sum_to_one() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0], [1 - 1e-7, 1e-7, 0.0]])
    found = ClassCalibration(3.0).apply(Moments(p, 0 * p, p * (1 - p)))
    assert all(part.isfinite().all() for part in (found.mean, found.epistemic, found.aleatoric))
    torch.testing.assert_close(found.mean.sum(dim=1), torch.ones(2))
    assert (found.aleatoric >= 0).all()


def test_a_temperature_of_one_changes_no_bit() -> None:
    moments = _moments()
    assert ClassCalibration(1.0).apply(moments) is moments


def test_variances_of_quantities_are_multiplied_each_by_its_own_factor() -> None:
    mean = torch.randn(2, 2, 5)
    found = QuantityCalibration([4.0, 0.25]).apply(Moments(mean, torch.ones(2, 2, 5), 3 * torch.ones(2, 2, 5)))
    assert found.mean is mean
    assert found.epistemic[:, 0].eq(4).all()
    assert found.aleatoric[:, 1].eq(0.75).all()
    assert found.total[:, 0].eq(16).all()


@pytest.mark.parametrize("calibration", [ClassCalibration(1.3), QuantityCalibration([1.0, 2.0, 3.0])])
def test_tiles_agree_with_the_whole(calibration: ClassCalibration | QuantityCalibration) -> None:
    p = torch.rand((1, 3, 8, 6)).softmax(dim=1)
    moments = Moments(p, 0.25 * p * (1 - p), 0.75 * p * (1 - p))
    whole = calibration.apply(moments)
    tile = calibration.apply(moments.map(lambda part: part[..., 2:5, :]))
    for name in ("mean", "epistemic", "aleatoric"):
        assert torch.equal(getattr(tile, name), getattr(whole, name)[..., 2:5, :])
