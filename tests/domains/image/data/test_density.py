from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from multiunet.domains.image.data import density
from multiunet.domains.image.data.density import draw_density
from multiunet.domains.image.files import lazy
from multiunet.domains.image.files.lazy import Lazy


@pytest.mark.parametrize("sigma", [1e-3, 0.3, 2.0, 500.0])
@pytest.mark.parametrize("space", [(40, 30), (1, 1), (12, 20, 16)])
def test_each_dot_sums_to_1_wherever_it_lies(space: tuple[int, ...], sigma: float) -> None:
    corners = [np.full(len(space), -0.5), np.array(space) - 0.5]
    inside = np.random.default_rng(0).uniform(*corners, (7, len(space)))
    for place in (*corners, *inside):
        drawn = draw_density(place[None], space, (sigma,) * len(space))[...]
        assert drawn.shape == (1, *space)
        assert drawn.min() >= 0
        assert drawn.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)


def test_far_from_the_border_it_is_a_gaussian_of_this_deviation() -> None:
    marks = np.zeros((60, 70))
    marks[30, 33] = marks[25, 40] = 1
    drawn = draw_density(np.argwhere(marks).astype(float), marks.shape, (3.0, 2.0))[0]
    np.testing.assert_allclose(drawn, gaussian_filter(marks, (3, 2), truncate=4), atol=1e-8)


def test_the_middle_is_the_place() -> None:
    drawn = draw_density(np.array([[20.25, 31.5]]), (40, 60), (3.0, 3.0))[0]
    middle = [float((grid * drawn).sum()) for grid in np.mgrid[:40, :60]]
    assert middle == pytest.approx([20.25, 31.5], abs=2e-3)


def test_no_dots_are_0_everywhere() -> None:
    assert not draw_density(np.zeros((0, 2)), (4, 5), (1.0, 1.0))[...].any()


def test_windows_of_a_large_image_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    space, sigma = (90, 70), (3.0, 5.0)
    places = np.random.default_rng(0).uniform((0, 0), (89, 69), (50, 2))
    whole = draw_density(places, space, sigma)[...]
    monkeypatch.setattr(lazy, "WHOLE", 1000)
    monkeypatch.setattr(density, "CHUNK", 16)
    large = draw_density(places, space, sigma)
    assert isinstance(large, Lazy)
    for rows, columns in ((slice(0, 16), slice(0, 70)), (slice(41, 50), slice(3, 8)), (slice(0, 90), slice(60, 70))):
        np.testing.assert_array_equal(large[:, rows, columns], whole[:, rows, columns])
    assert whole.sum(dtype=np.float64) == pytest.approx(50, abs=1e-5)
