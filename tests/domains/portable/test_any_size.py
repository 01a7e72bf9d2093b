"""One exported file gives what the program gives, for inputs of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from multiunet.catalogue import CHANNELS, PADDED, ModelName, find_network
from multiunet.core import UNet
from multiunet.domains.image.prediction.flips import FlipAveraged
from multiunet.geometries import Grid
from multiunet.models import Feature, Pyramid, encoder_unet
from multiunet.prediction import Ensemble
from multiunet.tasks import Regression, Segmentation
from multiunet.uncertainty.calibration import ClassCalibration, QuantityCalibration

from .conftest import Compare, settle

ODD = {
    1: [(1,), (2,), (37,), (211,), (640,)],
    2: [(1, 1), (33, 20), (7, 64), (83, 141), (64, 64), (2, 97)],
    3: [(1, 9, 17), (8, 16, 24), (21, 13, 34), (35, 53, 45)],
}
"""Sizes on which strides fit and do not fit, some with one coarse site, one of them the example's own."""


def test_mirrored_views_of_classes_with_a_temperature(compare: Compare) -> None:
    net = settle(UNet(Grid(2), 2, 3, [4, 8, 8]))
    task, calibration = Segmentation(["a", "b", "c"]), ClassCalibration(1.7, thresholds={"c": 0.6})
    view = lambda one: FlipAveraged(one, 2)  # noqa: E731
    assert compare(net, task, 2, 2, ODD[2], view=view, calibration=calibration) < 1e-5


def test_quantities_of_a_volume_in_their_own_units(compare: Compare) -> None:
    net = settle(UNet(Grid(3), 1, 2, [4, 8], strides=[(1, 2, 2)]))
    task, calibration = Regression(["height"], centre=[2.0], scale=[0.3]), QuantityCalibration([1.4])
    assert compare(net, task, 3, 1, ODD[3], calibration=calibration) < 1e-5


def test_an_ensemble_on_a_line(compare: Compare) -> None:
    nets = [settle(UNet(Grid(1), 1, 2, [4, 8]), seed) for seed in range(2)]
    task = Segmentation(["a", "b"])
    assert compare(Ensemble(nets, [task, task]).eval(), task, 1, 1, ODD[1]) < 1e-5


@pytest.mark.parametrize(("name", "ndim"), [(name, 1 + at % 3) for at, name in enumerate(CHANNELS)])
def test_every_network_of_images(compare: Compare, name: ModelName, ndim: int) -> None:
    own = {"padding": "same"} if name in PADDED else {}
    widths = [12, 12, 12, 24] if name == "swin_unetr" else [8, 8, 16]
    torch.manual_seed(0)
    net = settle(find_network(name)(ndim, 2, 3, widths, **own))
    assert compare(net, Segmentation(["a", "b", "c"]), ndim, 2, ODD[ndim][1:4]) < 1e-5


def test_an_encoder_from_elsewhere(compare: Compare) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.next = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Conv2d(4, 8, 2, stride=2)

        def forward(self, x: Tensor) -> list[Tensor]:
            fine = self.stem(x).relu()
            return [fine, self.next(fine)]

    torch.manual_seed(0)
    pyramid = Pyramid(Two(), 2, [Feature(4, (2, 2)), Feature(8, (4, 4))])
    net = settle(encoder_unet(pyramid, 3, [4, 4, 8]))
    assert compare(net, Segmentation(["a", "b", "c"]), 2, 2, ODD[2]) < 1e-5
