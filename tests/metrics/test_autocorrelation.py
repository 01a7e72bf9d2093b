from __future__ import annotations

import numpy as np
import pytest

from multiunet.metrics import autocorrelation, compare_texture


def test_it_is_that_of_a_process_whose_correlation_is_known() -> None:
    """An autoregressive line of coefficient 0.8: 0.8^lag."""
    rng = np.random.default_rng(0)
    line = np.zeros(200_000)
    for place, step in enumerate(rng.normal(size=line.size)):
        line[place] = 0.8 * line[place - 1] + step
    found = autocorrelation(line[None], (1, 2, 4, 8))
    assert found == pytest.approx([0.8**lag for lag in (1, 2, 4, 8)], abs=0.02)


def test_it_is_that_of_pairs_counted_one_by_one() -> None:
    image = np.random.default_rng(1).normal(size=(1, 9, 16))
    image[0, 4, 5] = np.nan
    known = image[~np.isnan(image)]
    standard = (image[0] - known.mean()) / known.std()
    down = [standard[y, x] * standard[y + 2, x] for y in range(7) for x in range(16)]
    across = [standard[y, x] * standard[y, x + 2] for y in range(9) for x in range(14)]
    assert autocorrelation(image, [2]) == pytest.approx([(np.nanmean(down) + np.nanmean(across)) / 2])


def test_what_is_not_defined_is_none() -> None:
    assert autocorrelation(np.ones((1, 40, 40)), [1]) == [None]
    assert autocorrelation(np.random.default_rng(0).normal(size=(2, 12, 8)), [3, 4]) == [
        pytest.approx(0, abs=0.2),
        None,
    ]
    assert autocorrelation(np.full((1, 40, 40), np.nan), [1]) == [None]


def test_a_blurred_image_differs_from_the_truth_in_its_texture() -> None:
    true = np.random.default_rng(0).normal(size=(1, 64, 64))
    blurred = (true + np.roll(true, 1, 1) + np.roll(true, 1, 2)) / 3
    assert compare_texture(true, true) == 1
    assert compare_texture(3 * true + 1, true) == pytest.approx(1)
    assert compare_texture(blurred, true) < 0.95
