"""Conditions reach the network in prediction: fields, samples, tiles, ensembles, memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet import Condition, Grid, GridPredictor, GridSource, Regression, UNet, predict_field
from multiunet.geometries import Conv
from multiunet.prediction import Ensemble
from multiunet.prediction.tile_memory import measure_bytes_per_site
from multiunet.uncertainty import mc_dropout_sample

CPU, TASK = torch.device("cpu"), Regression(["y"], "mse")


class Scaling(UNet):
    """A U-Net that scales its input and shifts its output by an embedding of two numbers."""

    reads_condition = ("embedding",)

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__(Grid(1), 1, 1, [4, 4], decoder=Grid(1, block=Conv(dropout=dropout)))
        self.eval()

    def encode(self, x, condition=None):
        return super().encode(x if condition is None else x * condition.embedding[:, :1, None])

    def decode(self, trail, condition=None):
        y = super().decode(trail)
        return y if condition is None else y + condition.embedding[:, 1:, None]


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 1, 64, generator=torch.Generator().manual_seed(1))


CONDITION = Condition(torch.tensor([[2.0, 30.0], [-1.0, 50.0]]))


def test_a_field_is_predicted_under_its_condition(x: torch.Tensor) -> None:
    net = Scaling()
    found = predict_field(net, TASK, Grid(1), x, condition=CONDITION)
    by_hand = net(x * torch.tensor([2.0, -1.0])[:, None, None]) + torch.tensor([30.0, 50.0])[:, None, None]
    torch.testing.assert_close(found.mean, by_hand.detach())


def test_monte_carlo_samples_and_members_share_the_condition(x: torch.Tensor) -> None:
    nets = [Scaling(dropout=0.5) for _ in range(2)]
    found = predict_field(Ensemble(nets, [TASK] * 2), TASK, Grid(1), x, samples=3, seed=4, condition=CONDITION)
    means = []
    for net in nets:
        for sample in range(3):
            with mc_dropout_sample(net, 4, sample), torch.no_grad():
                means.append(net(x, CONDITION))
    torch.testing.assert_close(found.mean, torch.stack(means).mean(0))


@pytest.mark.parametrize("batch", [1, 3])
def test_all_tiles_of_an_input_have_its_condition(x: torch.Tensor, batch: int) -> None:
    net, one = Scaling(dropout=0.5), Condition(CONDITION.embedding[:1])
    read = lambda start, stop: x[0, :, start[0] : stop[0]].numpy()  # noqa: E731
    source = GridSource("x", (64,), read, ("x",), condition=one)
    predictor = GridPredictor(net, TASK, Grid(1), CPU, tile=8, batch=batch)
    assert len(predictor.plan((64,))) == 8
    found = predictor.whole(source, samples=3)
    whole = predict_field(net, TASK, Grid(1), x[:1], 3, condition=one)
    torch.testing.assert_close(found.mean, whole.mean[0])
    torch.testing.assert_close(found.epistemic, whole.epistemic[0], atol=1e-5, rtol=1e-4)


def test_an_input_has_one_condition() -> None:
    with pytest.raises(ValueError, match="condition of one input has 2 rows; give one"):
        GridSource("x", (4,), lambda start, stop: np.zeros((1, 4), np.float32), ("x",), condition=CONDITION)


def test_memory_of_tiles_is_measured_with_the_condition() -> None:
    class Needing(Scaling):
        def encode(self, x, condition=None):
            wide = torch.cat([x] * 50, dim=1) * condition.embedding[:, :1, None]
            return super().encode(wide.mean(dim=1, keepdim=True), condition)

    one = Condition(CONDITION.embedding[:1])
    plain = measure_bytes_per_site(Scaling(), TASK, Grid(1), 1, 1, CPU)
    assert measure_bytes_per_site(Needing(), TASK, Grid(1), 1, 1, CPU, one) > plain + 100
