from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from multiunet import Grid, UNet, receptive_field
from multiunet.models.neighbours import average_neighbours, reach_of
from multiunet.models.sees_input import AddNeighbours, SeesInput


@pytest.mark.parametrize(("space", "deviation"), [((23,), 1.4), ((9, 14), 0.7), ((5, 8, 6), 1.0)])
def test_it_is_a_normalised_correlation_with_a_gaussian_that_lacks_its_middle(
    space: tuple[int, ...], deviation: float
) -> None:
    x = torch.randn(2, 3, *space, dtype=torch.float64)
    reach = reach_of(deviation)
    kernel = np.zeros((2 * reach + 1,) * len(space))
    for place in itertools.product(range(-reach, reach + 1), repeat=len(space)):
        kernel[tuple(step + reach for step in place)] = np.exp(-0.5 * np.square(place).sum() / deviation**2)
    kernel[(reach,) * len(space)] = 0
    inside = correlate(np.ones(space), kernel, mode="constant")
    expected = [[correlate(c, kernel, mode="constant") / inside for c in sample] for sample in x.numpy()]
    torch.testing.assert_close(average_neighbours(x, deviation), torch.from_numpy(np.array(expected)))


def test_a_site_does_not_see_itself_and_constants_stay() -> None:
    x = torch.randn(1, 1, 6, 7, requires_grad=True, dtype=torch.float64)
    average_neighbours(x, 1.4)[0, 0, 2, 3].backward()
    assert x.grad is not None
    assert abs(x.grad[0, 0, 2, 3]) < 1e-12
    assert x.grad[0, 0, 2, 4] > 0.01
    torch.testing.assert_close(average_neighbours(torch.full((1, 1, 6, 7), 5.0), 2.0), torch.full((1, 1, 6, 7), 5.0))
    assert average_neighbours(torch.full((1, 1, 1, 1), 5.0), 2.0).item() == 0


def test_the_layer_adds_them_on_the_scale_of_outputs_and_is_looked_at_by_tiles() -> None:
    net = SeesInput(UNet(Grid(2), 1, 2, [4, 4]), AddNeighbours([2.0], [1.0], 2, deviation=8.0)).eval()
    x = torch.randn(1, 1, 9, 11)
    learnt, found = net.net(x), net(x)
    torch.testing.assert_close(found[:, :1] - learnt[:, :1], average_neighbours(x, 8.0) * 2 + 1)
    torch.testing.assert_close(found[:, 1:], learnt[:, 1:])
    torch.testing.assert_close(net.decode(net.encode(x)), found)
    assert max(receptive_field(net.net).radius) < 24
    assert receptive_field(net).radius == (24, 24)
