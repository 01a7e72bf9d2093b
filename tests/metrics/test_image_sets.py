from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from multiunet.metrics.image_sets import (
    compare_curves,
    compare_grey_levels,
    compute_spectrum,
    correlate,
    find_in,
    measure_neighbours,
)


def _draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_grey_levels_are_as_far_apart_as_scipy_says() -> None:
    one, other = _draw(3, 2, 20, 20), 2 * _draw(5, 2, 20, 20, seed=1) + 3
    expected = np.mean([wasserstein_distance(one[:, c].ravel(), other[:, c].ravel()) for c in range(2)])
    assert compare_grey_levels(one, other) == pytest.approx(expected, rel=0.01)
    assert compare_grey_levels(one, one + 0.5) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("space", [(9,), (8, 11), (5, 6, 7)])
def test_correlation_is_the_mean_product_of_all_pairs_so_far_apart(space: tuple[int, ...]) -> None:
    images = _draw(2, 2, *space)
    centred = images - images.mean(axis=(0, *range(2, images.ndim)), keepdims=True)
    sites = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"), -1).reshape(-1, len(space))
    apart = np.rint(np.sqrt(np.square(sites[:, None] - sites[None]).sum(-1))).astype(int)
    rows = centred.reshape(4, -1)
    products = (rows[:, :, None] * rows[:, None]).mean(axis=0)
    expected = [products[apart == r].mean() for r in range(min(space) // 2 + 1)]
    np.testing.assert_allclose(correlate(images), np.array(expected) / expected[0], atol=1e-5)


def test_flat_images_have_no_correlation() -> None:
    assert correlate(np.full((2, 1, 8, 8), 3, np.float32)).tolist() == [1, 0, 0, 0, 0]


def test_spectrum_peaks_at_the_wave_of_an_image_and_white_noise_is_flat() -> None:
    x = np.arange(64)
    wave = np.broadcast_to(np.cos(2 * np.pi * 8 * x / 64), (1, 1, 64, 64)).astype(np.float32)
    assert compute_spectrum(wave).argmax() == 7
    noise = compute_spectrum(3 * _draw(100, 1, 64, 64))
    assert noise.shape == (32,)
    np.testing.assert_allclose(noise[2:], 10 * np.log10(9), atol=0.5)


def test_curves_differ_by_the_root_of_the_mean_square() -> None:
    assert compare_curves(np.array([1.0, 2.0]), np.array([4.0, 6.0])) == pytest.approx(np.sqrt(12.5))


def test_neighbours_are_the_nearest_other_images() -> None:
    images = _draw(6, 2, 5, 7)
    apart = np.sqrt(np.square(images[:, None] - images[None]).mean(axis=(2, 3, 4)))
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(measure_neighbours(images), apart.min(axis=1), rtol=1e-4)
    with pytest.raises(ValueError, match="two images or more"):
        measure_neighbours(images[:1])


@pytest.mark.parametrize(("space", "sides"), [((17, 23), (5, 8)), ((6, 7, 9), (3, 4, 4)), ((6, 6), (6, 6))])
def test_windows_are_found_where_they_fit_best(space: tuple[int, ...], sides: tuple[int, ...]) -> None:
    image, windows = 100 + _draw(2, *space), 100 + _draw(3, 2, *sides, seed=1)
    inside = tuple(slice(n - side, None) for n, side in zip(space, sides))
    windows[0] = image[(slice(None), *inside)]
    distances, places = find_in(image, windows)
    steps = list(np.ndindex(*(n - side + 1 for n, side in zip(space, sides))))
    for number, window in enumerate(windows):
        cuts = [image[(slice(None), *(slice(a, a + n) for a, n in zip(step, sides)))] for step in steps]
        apart = [float(np.sqrt(np.square(cut - window).mean())) for cut in cuts]
        assert distances[number] == pytest.approx(min(apart), abs=1e-4)
        assert tuple(places[number]) == steps[int(np.argmin(apart))]
    assert places[0].tolist() == [n - side for n, side in zip(space, sides)]


def test_windows_larger_than_the_image_are_refused() -> None:
    with pytest.raises(ValueError, match="larger than the image"):
        find_in(_draw(1, 5, 5), _draw(1, 1, 6, 5))
