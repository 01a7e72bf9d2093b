"""Objects to classes and back, and through random views."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from skimage.draw import disk
from skimage.measure import label

from multiunet.domains.image.data.augment import View, mirror, sample_labels
from multiunet.domains.image.data.instances import CLASSES, count_objects, encode_objects, renumber, sample_objects
from multiunet.domains.image.prediction.separate import remove_small, separate_objects
from multiunet.metrics import InstanceMatcher


def crowd(seed: int = 0) -> np.ndarray:
    """Discs of radius 9 that touch each other, each pixel of the nearest."""
    rng = np.random.default_rng(seed)
    centres = np.argwhere(np.ones((6, 7))) * 15 + 8 + rng.uniform(-3, 3, (42, 2))
    distance, nearest = cKDTree(centres).query(np.argwhere(np.ones((100, 110))))
    return np.where(distance < 9, nearest + 1, 0).reshape(100, 110).astype(np.int32)


def grains(shape: tuple[int, ...], step: int = 4) -> np.ndarray:
    """Blocks without ground between them, each with a number of its own."""
    numbers = np.arange(1, 1 + np.prod([-(-n // step) for n in shape])).reshape([-(-n // step) for n in shape])
    for axis in range(len(shape)):
        numbers = np.repeat(numbers, step, axis=axis)
    return numbers[tuple(slice(0, n) for n in shape)].astype(np.int32)


def perfect(objects: np.ndarray, touching: str, spacing: tuple[float, ...] = (1.0, 1.0)) -> np.ndarray:
    """Probabilities of a network that knows."""
    classes = encode_objects(objects, touching, spacing)
    return np.stack([classes == index for index in range(len(CLASSES[touching]))]).astype(np.float32)


def numbered(shape: tuple[int, ...], places: list[tuple], part: tuple) -> np.ndarray:
    """Copies of a part at these places."""
    objects = np.zeros(shape, dtype=np.int32)
    for number, place in enumerate(places, start=1):
        objects[tuple(index + start for index, start in zip(part, place))] = number
    return objects


SMALL = {
    "discs of 13 pixels": numbered((50, 60), [(5, 5), (5, 20), (30, 7), (40, 50)], disk((0, 0), 2.2)),
    "bars": numbered((50, 60), [(5, 5), (15, 20), (30, 7)], np.ogrid[:2, :30]),
    "a section thick": numbered((9, 40, 40), [(1, 9, 9), (1, 9, 28), (5, 20, 20)], (0, *disk((0, 0), 5))),
    "two sections thick": numbered(
        (9, 40, 40), [(1, 9, 9), (5, 20, 20)], (np.arange(2)[:, None], *(i[None] for i in disk((0, 0), 5)))
    ),
}


@pytest.mark.parametrize("touching", ["gap", "boundary"])
@pytest.mark.parametrize("name", SMALL)
def test_small_and_narrow_objects_are_found(name: str, touching: str) -> None:
    objects = SMALL[name]
    matcher = InstanceMatcher()
    matcher.update(separate_objects(perfect(objects, touching, (1.0,) * objects.ndim), (1.0,) * objects.ndim), objects)
    assert matcher.scores()["ap_90"] == 1.0


def test_a_coarse_axis_has_no_outermost_pixels_but_between_objects() -> None:
    stack = np.zeros((4, 5, 5), dtype=np.int32)
    stack[1:3, 1:4, 1:4] = 1
    assert (encode_objects(stack, "boundary", (1, 1, 1)) == 1).sum() == 0
    assert np.argwhere(encode_objects(stack, "boundary", (5, 1, 1)) == 1).tolist() == [[1, 2, 2], [2, 2, 2]]
    stack[2][stack[2] > 0] = 2
    assert (encode_objects(stack, "boundary", (5, 1, 1)) == 1).sum() == 0


def test_noise_inside_an_object_is_the_objects() -> None:
    p = np.zeros((3, 30, 30), dtype=np.float32)
    p[0] = 1
    p[:, 5:25, 5:25] = np.array([0, 0, 1])[:, None, None]
    p[:, 8:22, 8:22] = np.array([0, 1, 0])[:, None, None]
    p[:, 6, 12:14] = np.array([0, 1, 0])[:, None]
    found = separate_objects(p, (1.0, 1.0), smallest=20)
    assert found.max() == 1
    assert (found > 0).sum() == 400


def turned(shape: tuple[int, ...]) -> np.ndarray:
    """Coordinates of a view that is turned and shrunk."""
    ndim = len(shape)
    matrix = np.eye(ndim)
    if ndim > 1:
        matrix[-2:, -2:] = [[0.8, 0.6], [-0.6, 0.8]]
    view = View(np.array([(n - 1) / 2 + 0.3 for n in shape]), matrix * 1.2)
    return mirror(view.coordinates(shape), shape)


def test_classes_by_hand() -> None:
    objects = np.array([[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [3, 3, 3, 0, -1]])
    gap = [[1, 0, 1, 1, 0], [0, 0, 0, 1, 0], [1, 1, 1, 0, -1]]
    np.testing.assert_array_equal(encode_objects(objects, "gap", (1, 1)), gap)
    boundary = [[1, 2, 2, 2, 0], [2, 2, 2, 2, 0], [2, 2, 2, 0, -1]]
    np.testing.assert_array_equal(encode_objects(objects, "boundary", (1, 1)), boundary)


@pytest.mark.parametrize("shape", [(60,), (40, 44), (16, 20, 24)])
def test_what_is_learnt_keeps_objects_apart_in_any_view(shape: tuple[int, ...]) -> None:
    seen = sample_objects(grains(shape), turned(shape))
    inside = encode_objects(seen, "gap", (1,) * len(shape)) == 1
    parts = label(inside, connectivity=1)
    for part in range(1, parts.max() + 1):
        assert len(np.unique(seen[parts == part])) == 1


@pytest.mark.parametrize("shape", [(60,), (40, 44), (16, 20, 24)])
def test_sampling_is_that_of_labels(shape: tuple[int, ...]) -> None:
    few = np.random.default_rng(0).integers(0, 4, shape).astype(np.int32)
    coordinates = turned(shape)
    # rounding may decide a tie either way
    assert (sample_objects(few, coordinates) == sample_labels(few, coordinates)).mean() > 0.999
    whole = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
    np.testing.assert_array_equal(sample_objects(few, whole), few)


@pytest.mark.parametrize("touching", ["gap", "boundary"])
def test_perfect_probabilities_give_the_objects_back(touching: str) -> None:
    objects = crowd()
    assert encode_objects(objects, touching, (1, 1)).max() == len(CLASSES[touching]) - 1
    matcher = InstanceMatcher()
    matcher.update(separate_objects(perfect(objects, touching), (1.0, 1.0)), objects)
    joined = InstanceMatcher()
    joined.update(label(objects > 0), objects)
    assert matcher.scores()["ap_70"] == 1.0
    assert joined.scores()["ap_50"] < 0.3


def test_joined_objects_are_cut_at_their_neck_and_thin_ones_are_kept() -> None:
    inside = np.zeros((40, 60), dtype=bool)
    inside[disk((15, 15), 9)] = inside[disk((15, 31), 9)] = True
    inside[34, 5:50] = True
    inside[0, 0:5] = True  # noise
    found = separate_objects(np.stack([~inside, inside]).astype(np.float32), (1.0, 1.0))
    assert found.max() == 3
    assert found[15, 15] != found[15, 31]
    assert len(np.unique(found[34, 5:50])) == 1
    assert found[0, 2] == 0
    assert ((found > 0) == inside)[1:].all()


def test_nothing_is_no_object() -> None:
    nothing = np.stack([np.ones((8, 9)), np.zeros((8, 9))]).astype(np.float32)
    assert separate_objects(nothing, (1.0, 1.0)).max() == 0
    assert separate_objects(nothing, (1.0, 1.0)).dtype == np.int32


def test_numbers_become_small_ones() -> None:
    objects = np.array([[0, 4_000_000_000, 9], [9, 255, 0]], dtype=np.uint32)
    np.testing.assert_array_equal(renumber(objects, None), [[0, 3, 1], [1, 2, 0]])
    np.testing.assert_array_equal(renumber(objects, 255), [[0, 2, 1], [1, -1, 0]])
    assert count_objects(np.array([[1, 0, 1], [0, 2, 0]])) == (2, 3)
    np.testing.assert_array_equal(remove_small(np.array([3, 3, 1, 0, 2, 2]), 2), [2, 2, 0, 0, 1, 1])
