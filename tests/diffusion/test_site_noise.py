"""Noise by counter: Gaussian, independent, and the same however a field is cut."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from multiunet import Graph, GraphField, Grid
from multiunet.diffusion import SiteNoise

PLANE = SiteNoise(Grid(2), seed=3)


@pytest.fixture(scope="module")
def drawn() -> torch.Tensor:
    """Two samples, two channels, 128 x 128 sites, three draws: ``(3, 2, 2, 128, 128)``."""
    field = torch.zeros(2, 1, 128, 128)
    return torch.stack([PLANE.normal(field, [4, 5], 2, draw) for draw in range(3)])


def test_numbers_are_normal(drawn: torch.Tensor) -> None:
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.var()) - 1) < 0.02
    assert 4 < float(drawn.abs().max()) < 6


def test_uniform_numbers_are_uniform() -> None:
    values = PLANE.uniform(torch.zeros(1, 1, 100, 100), [0], 1, 0)
    assert values.dtype == torch.float64
    assert 0 < float(values.min()) < float(values.max()) < 1
    assert stats.kstest(values.flatten().numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("axis", range(5), ids=["draws", "samples", "channels", "rows", "columns"])
def test_neighbours_on_every_axis_are_independent(drawn: torch.Tensor, axis: int) -> None:
    for power in (1, 2):  # numbers, and their sizes
        one, other = (part.flatten() ** power for part in (drawn.narrow(axis, 0, 1), drawn.narrow(axis, 1, 1)))
        if axis >= 3:
            size = drawn.shape[axis] - 1
            one, other = (drawn.narrow(axis, first, size).flatten() ** power for first in (0, 1))
        correlation = float(torch.corrcoef(torch.stack([one, other]))[0, 1])
        assert abs(correlation) < 4 / len(one) ** 0.5


def test_axes_are_not_exchanged(drawn: torch.Tensor) -> None:
    assert not torch.isclose(drawn, drawn.transpose(3, 4)).logical_and(~torch.eye(128).bool()).any()


def test_a_tile_has_the_noise_of_the_whole() -> None:
    solid = SiteNoise(Grid(3), seed=1)
    whole = solid.normal(torch.zeros(1, 1, 9, 8, 7), [2], 3, 5)
    tile = solid.normal(torch.zeros(1, 1, 4, 3, 2), [2], 3, 5, start=(3, 2, 4))
    assert torch.equal(tile, whole[..., 3:7, 2:5, 4:6])


def test_a_batch_has_the_noise_of_its_samples() -> None:
    both = PLANE.normal(torch.zeros(2, 1, 6, 5), [7, 8], 1, 0)
    alone = PLANE.normal(torch.zeros(1, 1, 6, 5), [8], 1, 0)
    assert torch.equal(both[1:], alone)


def test_a_node_draws_by_its_number_within_its_graph() -> None:
    noise, edges = SiteNoise(Graph(), seed=3), torch.zeros(2, 0, dtype=torch.int64)
    small, large = (GraphField.of(torch.zeros(nodes, 1), edges) for nodes in (4, 9))
    both = noise.normal(GraphField.union([small, large]), [0, 1], 2, 0)
    assert torch.equal(both[:4], noise.normal(small, [0], 2, 0))
    assert torch.equal(both[4:], noise.normal(large, [1], 2, 0))
    assert len(both.unique()) == both.numel()


def test_known_bits() -> None:
    """Splitmix64's published first numbers from the state 1234567, which no later version may change."""
    from multiunet.diffusion.site_noise import _mix

    drawn = _mix(torch.tensor([1234567]), torch.arange(3), 0)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(number) % (1 << 64) for number in drawn] == published


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 numbers of samples for a batch of 1"):
        PLANE.normal(torch.zeros(1, 1, 6, 5), [0, 1], 1, 0)
    with pytest.raises(ValueError, match="one place for each of 2 axes"):
        PLANE.normal(torch.zeros(1, 1, 6, 5), [0], 1, 0, start=(3,))
