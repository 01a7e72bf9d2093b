"""Shapes against hand-computed ones and scikit-image's regionprops."""

import math

import numpy as np
import pytest
from skimage.draw import disk, ellipse, polygon
from skimage.measure import regionprops

from multiunet.domains.image.measure.shape import describe_shape


def rectangle(height, width):
    mask = np.zeros((height + 6, width + 4), dtype=bool)
    mask[3 : 3 + height, 2 : 2 + width] = True
    return mask


@pytest.mark.parametrize(("height", "width", "angle"), [(5, 41, 0.0), (41, 5, 90.0), (1, 30, 0.0)])
@pytest.mark.parametrize("step", [1.0, 0.25])
def test_a_rectangle_has_the_shape_that_one_computes_by_hand(height, width, angle, step):
    shape = describe_shape(rectangle(height, width), (step, step))
    long, short = step * max(height, width), step * min(height, width)
    assert shape.elongation == pytest.approx(long / short)
    assert shape.major_axis == pytest.approx(4 * long / math.sqrt(12))
    assert shape.feret_max == pytest.approx(math.hypot(long, short))
    assert shape.feret_min == pytest.approx(short)
    assert shape.orientation == pytest.approx(angle)
    assert shape.length == pytest.approx(long, abs=2.5 * step)


def test_pixels_that_are_not_square_count_as_they_are():
    shape = describe_shape(rectangle(10, 10), (3.0, 1.0))
    assert (shape.elongation, shape.feret_min, shape.orientation) == pytest.approx((3, 10, 90))


def test_a_single_pixel_has_a_shape():
    shape = describe_shape(np.ones((1, 1), dtype=bool), (1.0, 1.0))
    assert (shape.elongation, shape.orientation, shape.skeleton_length) == (1.0, None, 0.0)
    assert (shape.feret_max, shape.feret_min, shape.length) == pytest.approx((math.sqrt(2), 1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_shapes_agree_with_regionprops(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((160, 160), dtype=bool)
    mask[ellipse(80, 80, rng.uniform(20, 60), rng.uniform(20, 60), rotation=rng.uniform(-3, 3))] = True
    mask[polygon(*rng.uniform(40, 120, (2, 5)))] = True
    [region] = regionprops(mask.astype(int))
    shape = describe_shape(mask, (1.0, 1.0))
    pixel = 16 / 12  # the moments of a pixel as an area, which regionprops leaves out
    assert shape.major_axis == pytest.approx(math.sqrt(region.axis_major_length**2 + pixel))
    assert shape.minor_axis == pytest.approx(math.sqrt(region.axis_minor_length**2 + pixel))
    assert shape.feret_max == pytest.approx(region.feret_diameter_max, abs=1)
    # regionprops turns from the y axis, here it is from the x axis
    turn = abs(shape.orientation - (math.degrees(region.orientation) - 90)) % 180
    assert min(turn, 180 - turn) == pytest.approx(0, abs=1e-6)
    widths = [np.ptp(np.argwhere(mask) @ (math.sin(t), math.cos(t))) for t in np.linspace(0, math.pi, 721)]
    assert shape.feret_min == pytest.approx(min(widths), abs=1.5)


def test_the_length_of_an_arc_follows_it():
    y, x = np.mgrid[:120, :220] - np.array([10, 110])[:, None, None]
    radius = np.hypot(y, x)
    shape = describe_shape((radius > 85) & (radius < 95) & (y >= 0), (1.0, 1.0))
    assert shape.length == pytest.approx(math.pi * 90, rel=0.07)  # steps of 1 and sqrt(2): up to 8 % too long
    assert shape.feret_max == pytest.approx(190, abs=3)


def test_a_bar_in_a_volume():
    mask = np.zeros((12, 12, 40), dtype=bool)
    mask[4:7, 4:7, 3:36] = True
    shape = describe_shape(mask, (1.0, 1.0, 1.0))
    assert shape.elongation == pytest.approx(11)
    assert shape.feret_max == pytest.approx(math.sqrt(33**2 + 3**2 + 3**2))
    assert (shape.feret_min, shape.orientation) == (None, None)
    assert shape.length == pytest.approx(33, abs=2)


def test_a_disc_is_as_long_as_wide():
    mask = np.zeros((64, 64), dtype=bool)
    mask[disk((32, 32), 20)] = True
    shape = describe_shape(mask, (1.0, 1.0))
    assert shape.elongation == pytest.approx(1)
    assert (shape.feret_max, shape.feret_min) == pytest.approx((40, 39), abs=1.5)
