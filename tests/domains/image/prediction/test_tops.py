"""High maxima are those that scikit-image finds, pixel by pixel."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.data import binary_blobs
from skimage.morphology import h_maxima

from multiunet.domains.image.prediction.tops import find_tops

NECK = -np.log(0.85)


def expected(image, height, inside):
    return h_maxima(image, height).astype(bool) & inside


def distances(inside, steps):
    smoothed = gaussian_filter(distance_transform_edt(inside, sampling=steps), 1 / np.asarray(steps))
    return np.log(smoothed + 0.5)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_tops_of_random_maps_are_h_maxima(ndim, seed):
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=rng.integers(3, {1: 200, 2: 60, 3: 16}[ndim], ndim)), rng.uniform(0.3, 3))
    inside = noise > np.quantile(noise, rng.uniform(0, 0.9))
    steps = rng.choice([1.0, 2.0, 3.0], ndim)
    levels = np.round(20 * noise / np.ptp(noise)) / 7  # plateaus and ties
    for image, height in [
        (noise, rng.uniform(0.01, 1) * np.ptp(noise)),
        (levels, 2 / 7),
        (distances(inside, steps), NECK),
        (distances(inside, steps) + np.flip(distances(inside, steps)), NECK),
    ]:
        np.testing.assert_array_equal(find_tops(image, height, inside), expected(image, height, inside))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_tops_of_blobs_are_h_maxima(share):
    inside = binary_blobs(256, blob_size_fraction=0.08, volume_fraction=share, rng=0)
    image = distances(inside, (1.0, 1.0))
    found = find_tops(image, NECK, inside)
    assert found.any()
    np.testing.assert_array_equal(found, expected(image, NECK, inside))


def test_a_dip_of_less_than_the_height_joins_two_maxima():
    image = np.array([0.0, 5.0, 4.2, 4.0, 0.0, 4.5, 0.0])
    everywhere = np.ones(7, dtype=bool)
    assert np.flatnonzero(find_tops(image, 1.0, everywhere)).tolist() == [1, 5]
    assert np.flatnonzero(find_tops(image, 4.8, everywhere)).tolist() == [1]
    assert not find_tops(image, 5.5, everywhere).any()  # higher than the whole map


def test_nothing_inside_has_no_top():
    assert not find_tops(np.zeros((4, 5)), 0.1, np.zeros((4, 5), dtype=bool)).any()
