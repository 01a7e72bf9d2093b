"""The border weights against distances to every site, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree

from multiunet.losses import border_weights


def by_hand(objects: np.ndarray, weight: float, sigma: float, steps: tuple[float, ...]) -> np.ndarray:
    """Eq. 2 with the distance from every site to every object."""
    sites = np.argwhere(np.ones(objects.shape, dtype=bool)) * np.asarray(steps) / min(steps)
    distances = [
        cKDTree(sites[(objects == number).ravel()]).query(sites)[0] for number in np.unique(objects[objects > 0])
    ]
    nearest, second = np.sort(distances, axis=0)[:2]
    return (1 + weight * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))).reshape(objects.shape)


@pytest.mark.parametrize(
    ("shape", "steps"),
    [((300,), (1.0,)), ((60, 70), (1.0, 1.0)), ((60, 70), (0.5, 1.5)), ((12, 30, 33), (1.2, 0.3, 0.3))],
)
def test_weights_are_those_of_the_equation(shape: tuple[int, ...], steps: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    objects = np.zeros(shape, dtype=np.uint32)
    for number in (4_000_000_000, 7, 3, 12, 90):  # any numbers, overlapping boxes, one of them in two parts
        start = [int(rng.integers(0, n - n // 3)) for n in shape]
        objects[tuple(slice(s, s + n // 3) for s, n in zip(start, shape))] = number
    objects.flat[-1] = 3
    found = border_weights(objects, weight=10, sigma=2.0, spacing=steps)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(objects, 10, 2.0, steps), atol=10 * 1.01e-4)
    assert found.max() > 3  # there is a border to speak of


def test_a_case_by_hand() -> None:
    objects = np.array([[1, 1, 0, 0, 2]])
    third = 10 * math.exp(-9 / 50)  # 1 and 2 away from the two, or 0 and 3 within the first
    np.testing.assert_allclose(border_weights(objects), [[1 + 10 * math.exp(-16 / 50), *[1 + third] * 4]], rtol=1e-6)
    apart = border_weights(objects, spacing=(1.0, 2.0))  # in units of the finest axis, the first
    np.testing.assert_allclose(apart[0, 1:], 1 + 10 * math.exp(-36 / 50), rtol=1e-6)


def test_one_object_or_none_has_no_border() -> None:
    assert (border_weights(np.zeros((5, 6), dtype=int)) == 1).all()
    alone = np.zeros((5, 6), dtype=int)
    alone[2, 2] = 4
    assert (border_weights(alone) == 1).all()
    assert (border_weights(-alone, balance=2.5) == 2.5).all()  # negative is unknown, not an object
    classes = np.where(alone > 0, 3.0, 0.5)
    np.testing.assert_array_equal(border_weights(alone, balance=classes), classes.astype(np.float32))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"objects": np.zeros((3, 3))}, "integers, got float64"),
        ({"weight": -1.0}, "weight -1.0 must not be negative"),
        ({"sigma": 0.0}, "sigma 0.0 must be positive"),
        ({"spacing": (1.0,)}, "2 positive numbers"),
        ({"spacing": (1.0, 0.0)}, "2 positive numbers"),
    ],
)
def test_bad_arguments_are_named(words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        border_weights(**{"objects": np.ones((3, 3), dtype=int), **words})
