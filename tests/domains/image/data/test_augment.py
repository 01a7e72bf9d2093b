from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from multiunet.domains.image.data.augment import (
    Augmentation,
    Intensities,
    View,
    change_intensities,
    change_tones,
    draw_view,
    mirror,
    sample,
    sample_labels,
    smooth_field,
)

SHAPES = [(40,), (40, 52), (20, 24, 28)]
ALWAYS = Augmentation(chance=1.0)


def resample(pixels: np.ndarray, view: View, shape: tuple[int, ...]) -> np.ndarray:
    return sample(pixels, mirror(view.coordinates(shape), pixels.shape[1:]))


def middle(shape: tuple[int, ...]) -> list[float]:
    return [(n - 1) / 2 for n in shape]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_augmentation_is_the_crop_to_the_last_bit(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    patch, start = tuple(n // 2 for n in shape), [3] * len(shape)
    centre = [first + (side - 1) / 2 for first, side in zip(start, patch)]
    view = draw_view(Augmentation.none(), centre, patch, (1.0,) * len(shape), np.random.default_rng(1))
    crop = pixels[(slice(None), *(slice(first, first + side) for first, side in zip(start, patch)))]
    np.testing.assert_array_equal(resample(pixels, view, patch), crop)
    field = change_intensities(crop, Augmentation.none(), (1.0,) * len(shape), np.random.default_rng(1))
    np.testing.assert_array_equal(field, crop)


@pytest.mark.parametrize("shape", SHAPES)
def test_outside_the_image_is_its_mirror(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    patch = tuple(n + 12 for n in shape)
    view = View(np.array(middle(shape)), np.eye(len(shape)))
    expected = np.pad(pixels, ((0, 0), *((6, 6),) * len(shape)), mode="reflect")
    np.testing.assert_array_equal(resample(pixels, view, patch), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_flips_and_quarter_turns_move_pixels_and_mix_none(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    only_flips = replace(Augmentation.none(), flip=True)
    seen = set()
    for seed in range(60):
        patch = (16,) * len(shape)
        view = draw_view(only_flips, middle(shape), patch, (1.0,) * len(shape), np.random.default_rng(seed))
        result = resample(pixels, view, patch)
        assert set(result.ravel()) <= set(pixels.ravel())
        seen.add(result.tobytes())
    assert len(seen) == 2 ** len(shape) * (1 if len(shape) == 1 else 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_interpolation_is_linear_like_scipys(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    view = draw_view(ALWAYS, middle(shape), shape, (1.0,) * len(shape), np.random.default_rng(2))
    coordinates = view.coordinates(shape)
    assert view.bend is not None
    for channel, expected in zip(sample(pixels, mirror(coordinates, shape)), pixels):
        theirs = map_coordinates(expected, coordinates.astype(np.float64), order=1, mode="mirror")
        np.testing.assert_allclose(channel, theirs, atol=2e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_image_and_labels_move_together(shape: tuple[int, ...]) -> None:
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    labels = (sum((a - n / 2) ** 2 for a, n in zip(axes, shape)) < (min(shape) / 3) ** 2).astype(np.int16)
    labels[tuple(slice(0, n // 3) for n in shape)] = 1
    for seed in range(10):
        view = draw_view(ALWAYS, middle(shape), shape, (1.0,) * len(shape), np.random.default_rng(seed))
        coordinates = mirror(view.coordinates(shape), shape)
        as_image, as_labels = (
            sample(labels[None].astype(np.float32), coordinates)[0],
            sample_labels(labels, coordinates),
        )
        assert as_labels.dtype == labels.dtype
        assert 0.05 < as_labels.mean() < 0.95
        clear = np.abs(as_image - 0.5) > 1e-4
        np.testing.assert_array_equal((as_image > 0.5)[clear], as_labels[clear])


def test_labels_stay_labels_and_none_is_made_up() -> None:
    labels = np.random.default_rng(0).choice(np.array([-1, 0, 3, 7], dtype=np.int16), size=(40, 40))
    for seed in range(5):
        view = draw_view(ALWAYS, (19.5, 19.5), (30, 30), (1.0, 1.0), np.random.default_rng(seed))
        coordinates = mirror(view.coordinates((30, 30)), (40, 40))
        result = sample_labels(labels, coordinates)
        shares = np.stack([sample((labels == v)[None].astype(np.float32), coordinates)[0] for v in (-1, 0, 3, 7)])
        chosen = np.take_along_axis(shares, np.searchsorted([-1, 0, 3, 7], result)[None], axis=0)[0]
        np.testing.assert_allclose(chosen, shares.max(axis=0), atol=1e-5)


def test_outlines_are_nearer_to_the_truth_than_those_of_the_nearest_label() -> None:
    y, x = np.mgrid[:64, :64]
    ours, nearest = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        centre, radius = rng.uniform(28, 36, 2), rng.uniform(4, 12)
        disc = lambda p, q, c=centre, r=radius: (p - c[0]) ** 2 + (q - c[1]) ** 2 < r**2  # type: ignore[misc]  # noqa: E731
        turn = replace(Augmentation.none(), chance=1.0, scaling=0.0, elastic=0.0)
        view = draw_view(turn, (31.5, 31.5), (64, 64), (1.0, 1.0), rng)
        coordinates = mirror(view.coordinates((64, 64)), (64, 64))
        truth = disc(*coordinates)
        labels = disc(y, x).astype(np.int16)
        ours.append(np.mean(sample_labels(labels, coordinates) != truth))
        nearest.append(np.mean(labels[tuple(np.rint(coordinates).astype(int))] != truth))
    assert np.mean(ours) < 0.8 * np.mean(nearest)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_generator_of_the_same_seed_draws_the_same(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)

    def draw(seed: int) -> np.ndarray:
        torch.manual_seed(np.random.randint(1000))  # nothing comes from global state
        rng = np.random.default_rng(seed)
        view = draw_view(ALWAYS, middle(shape), shape, (1.0,) * len(shape), rng)
        return change_intensities(resample(pixels, view, shape), ALWAYS, (1.0,) * len(shape), rng)

    np.testing.assert_array_equal(draw(5), draw(5))
    assert not np.array_equal(draw(5), draw(6))


def test_a_rotation_keeps_distances_in_space_not_in_sites() -> None:
    spacing = (4.0, 1.0, 2.0)  # y, x differ, z is thick
    turning = replace(Augmentation.none(), chance=1.0, scaling=0.0, elastic=0.0)
    physical = np.diag(spacing)
    for seed in range(20):
        view = draw_view(turning, (0, 0, 0), (8, 8, 8), spacing, np.random.default_rng(seed))
        turn = physical @ view.matrix @ np.linalg.inv(physical)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
        # sections so far apart are not mixed
        np.testing.assert_allclose(turn[0], [1, 0, 0], atol=1e-12)
    alike = draw_view(turning, (0, 0, 0), (8, 8, 8), (2.0, 1.0, 1.0), np.random.default_rng(0))
    assert abs(alike.matrix[0, 1]) > 0.01


def test_orientation_is_kept_where_it_is_asked_for() -> None:
    upright = replace(ALWAYS, flip=False, rotation=10.0, scaling=0.0, elastic=0.0)
    for seed in range(20):
        view = draw_view(upright, (0, 0), (8, 8), (1.0, 1.0), np.random.default_rng(seed))
        assert np.degrees(np.arccos(view.matrix[0, 0])) <= 10.0 + 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bend_is_the_b_spline_of_its_control_points(shape: tuple[int, ...]) -> None:
    cells = 4
    control = np.random.default_rng(3).normal(size=(len(shape), *(cells + 3,) * len(shape)))
    expected = control
    for axis, n in enumerate(shape, start=1):
        spline = BSpline(np.arange(-3, cells + 4), np.moveaxis(expected, axis, 0), 3)
        expected = np.moveaxis(spline((np.arange(n) + 0.5) / n * cells), 0, axis)
    np.testing.assert_allclose(smooth_field(control, shape), expected, atol=1e-5)


def test_the_bend_never_folds_the_image() -> None:
    shape = (64, 64)
    for seed in range(30):
        view = draw_view(
            replace(Augmentation.none(), chance=1.0), middle(shape), shape, (1, 1), np.random.default_rng(seed)
        )
        (yy, yx), (xy, xx) = (np.gradient(c.astype(np.float64)) for c in view.coordinates(shape))
        assert (yy * xx - yx * xy).min() > 0  # the map keeps its handedness everywhere


def test_each_change_of_intensity_does_what_it_says() -> None:
    field = np.random.default_rng(0).normal(size=(1, 64, 64)).astype(np.float32)
    nothing = replace(Augmentation.none(), chance=1.0, brightness=0, contrast=0, gamma=0, noise=0, blur=0)

    def changed(**strength: float) -> np.ndarray:
        return change_intensities(field, replace(nothing, **strength), (1.0, 1.0), np.random.default_rng(7))

    np.testing.assert_allclose(changed(), field, atol=1e-6)
    shift = changed(brightness=2.0) - field
    assert np.ptp(shift) < 1e-5
    assert 0 < abs(shift.mean()) <= 2.0
    ratio = float(np.median(changed(contrast=1.0) / field))
    np.testing.assert_allclose(changed(contrast=1.0), ratio * field, atol=1e-5)
    assert 0.5 <= ratio <= 2.0
    assert ratio != pytest.approx(1, abs=1e-3)
    bent = changed(gamma=1.0)
    np.testing.assert_allclose([bent.min(), bent.max()], [field.min(), field.max()], atol=1e-5)
    np.testing.assert_array_equal(np.argsort(bent, axis=None), np.argsort(field, axis=None))
    assert changed(blur=3.0).std() < 0.9 * field.std()
    noise = changed(noise=1.0) - field
    assert 0 < noise.std() <= 1.1
    assert abs(np.corrcoef(noise.ravel(), field.ravel())[0, 1]) < 0.1


def test_numbers_as_they_are_change_as_much_as_standardised_ones() -> None:
    mean, deviation = np.array([30_000, -500], np.float32), np.array([2000, 150], np.float32)
    field = np.random.default_rng(0).normal(size=(2, 32, 32)).astype(np.float32)
    scale, shift = deviation[:, None, None], mean[:, None, None]
    for seed in range(8):
        standard = change_intensities(field, ALWAYS, (1.0, 1.0), np.random.default_rng(seed))
        known = Intensities(mean, deviation)
        raw = change_intensities(shift + scale * field, ALWAYS, (1.0, 1.0), np.random.default_rng(seed), known)
        np.testing.assert_allclose((raw - shift) / scale, standard, atol=2e-3)


def test_constant_patches_stay_finite() -> None:
    field = np.zeros((1, 16, 16), np.float32)
    assert np.isfinite(change_intensities(field, ALWAYS, (1.0, 1.0), np.random.default_rng(0))).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_the_magnification_is_the_area_that_a_site_covers(shape: tuple[int, ...], seed: int) -> None:
    view = draw_view(ALWAYS, middle(shape), shape, (1.0,) * len(shape), np.random.default_rng(seed))
    assert view.bend is not None
    found = view.magnification(shape)
    coordinates = view.coordinates(shape).astype(np.float64)
    slopes = np.stack([np.stack(np.gradient(x), axis=0) if x.ndim > 1 else np.gradient(x)[None] for x in coordinates])
    expected = np.abs(np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1))))
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    straight = replace(view, bend=None).magnification(shape)
    assert float(straight) == pytest.approx(abs(np.linalg.det(view.matrix)))


def test_flips_and_turns_magnify_nothing() -> None:
    flips = replace(Augmentation.none(), flip=True)
    for seed in range(8):
        assert draw_view(flips, [9, 9], (20, 20), (1, 1), np.random.default_rng(seed)).magnification((20, 20)) == 1
    one_section = draw_view(ALWAYS, [0, 9, 9], (1, 20, 20), (1, 1, 1), np.random.default_rng(0))
    assert np.isfinite(one_section.magnification((1, 20, 20))).all()


@pytest.mark.parametrize("seed", range(6))
def test_tones_of_an_image_and_its_target_follow_one_map(seed: int) -> None:
    """Where image and target have one number they have one afterwards, and what is unknown stays so."""
    rng = np.random.default_rng(seed)
    image, target = rng.normal(size=(2, 1, 20, 20)).astype(np.float32)
    target[:, :10] = image[:, :10]
    target[:, 19] = np.nan
    changed, wanted = change_tones([image, target], ALWAYS, np.random.default_rng(seed))
    assert not np.allclose(changed, image, atol=1e-3)
    np.testing.assert_allclose(changed[:, :10], wanted[:, :10], atol=1e-6)
    assert np.array_equal(np.isnan(wanted), np.isnan(target))
    order = np.argsort(np.concatenate([image.ravel(), target[:, :19].ravel()]))
    joined = np.concatenate([changed.ravel(), wanted[:, :19].ravel()])[order]
    assert (np.diff(joined) >= -1e-5).all()  # one map, and a rising one


@pytest.mark.parametrize("shape", [(8, 8), (6, 8, 8)])
def test_without_resampling_every_pixel_is_one_of_the_image(shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    for seed in range(10):
        view = draw_view(
            replace(ALWAYS, resample=False),
            [(n - 1) / 2 for n in shape],
            shape,
            (1.0,) * len(shape),
            np.random.default_rng(seed),
        )
        taken = sample(pixels, mirror(view.coordinates(shape), shape))
        assert sorted(taken.ravel()) == sorted(pixels.ravel())
