from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch.nn import functional

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.config.degradations import read_degradation
from multiunet.domains.image.data.blind import BlindSpots
from multiunet.domains.image.data.degradation import make_degrading
from multiunet.domains.image.data.resize import average_areas, enlarge


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_cubic_convolution_is_that_of_pillow_inside(factor: int) -> None:
    small = rng().normal(size=(1, 12, 15)).astype(np.float32)
    size = (15 * factor, 12 * factor)
    expected = np.asarray(Image.fromarray(small[0]).resize(size, Image.Resampling.BICUBIC))
    inner = slice(2 * factor, -2 * factor)  # at the border Pillow cuts its kernel, and we go on with the last pixel
    np.testing.assert_allclose(enlarge(small, factor)[0][inner, inner], expected[inner, inner], atol=1e-5)


def test_areas_are_averaged_and_brought_back_to_size() -> None:
    pixels = rng().normal(size=(2, 8, 13, 12)).astype(np.float32)
    found = average_areas(pixels, 4)
    assert found.shape == (2, 2, 4, 3)
    expected = functional.avg_pool3d(torch.from_numpy(pixels[:, :, :12]), 4).numpy()
    np.testing.assert_allclose(found[:, :, :3], expected, atol=1e-6)
    np.testing.assert_allclose(
        found[:, :, 3], pixels[:, :, 12:].reshape(2, 2, 4, 1, 3, 4).mean(axis=(2, 3, 5)), atol=1e-6
    )
    assert enlarge(found, 4, pixels.shape[1:]).shape == pixels.shape
    np.testing.assert_allclose(enlarge(np.ones((1, 3, 3), np.float32), 3), 1, atol=1e-6)


def test_noise_has_its_deviation_and_is_not_cut_off() -> None:
    clean = np.full((1, 200, 200), 250, np.float32)
    noisy = make_degrading(["noise:25"])(clean, rng())
    assert noisy.std() == pytest.approx(25, rel=0.02)
    assert noisy.max() > 300
    assert np.array_equal(noisy, make_degrading(["noise:25"])(clean, rng()))


def test_steps_follow_each_other() -> None:
    clean = rng(1).normal(size=(1, 64, 64)).astype(np.float32)
    first, last = (make_degrading(steps)(clean, rng()) for steps in (["noise:1", "down:4"], ["down:4", "noise:1"]))
    assert (first - last).std() > 0.5  # noise of many pixels is averaged, noise of the small image stays
    assert first.std() < last.std()


@pytest.mark.parametrize("steps", [["blur:2"], ["down:4"], ["blur:1.5", "down:3", "blur:1"]])
def test_a_patch_with_its_halo_is_a_part_of_the_whole(steps: list[str]) -> None:
    degrading = make_degrading(steps)
    clean, halo = rng(2).normal(size=(1, 144, 120)).astype(np.float32), degrading.halo
    assert halo % degrading.factor == 0
    whole, at = degrading(clean, rng())[:, 60:84, 48:72], (60 - halo, 48 - halo)
    patch = degrading(clean[:, at[0] : 84 + halo, at[1] : 72 + halo], rng())[:, halo:-halo, halo:-halo]
    np.testing.assert_allclose(patch, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog:3", "no known degradation"),
        ("", "no known"),
        ("noise:-1", "positive number"),
        ("noise", "positive"),
        ("noise:inf", "positive"),
        ("blur:900", "up to 64"),
        ("down:1", "from 2 to 16"),
        ("down:2.5", "whole number"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_degradation(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degrade": "noise:25", "targets": "t"}, "leave `targets` out"),
        ({"task": "denoise", "targets": "t"}, "leave `targets` out"),
        ({"task": "denoise", "masks": "t"}, "leave `masks` out"),
        ({"task": "denoise", "degrade": "noise:25"}, "not for `task=denoise`"),
        ({"task": "segmentation", "degrade": "noise:25"}, "not for `task=segmentation`"),
        ({"degrade": "fog:1"}, "no known degradation"),
        ({"degrade": ""}, "give one at least"),
        ({"degrade": "noise:9", "intensities": "image"}, "loses the units"),
        ({"degrade": "noise:9", "restoration": False}, "leave `restoration` out"),
        ({"degrade": "noise:9", "noise": 0.2}, "input of made pairs alone"),
        ({"task": "denoise", "class_weights": "1,2"}, "has no classes"),
        ({"task": "denoise", "loss": "dice"}, "is not for `task=denoise`"),
        ({"masks": "m", "restoration": True}, "pass `task=regression`"),
        ({"degrade": "noise:9", "loss": "poisson"}, "is of counts"),
        ({"degrade": "noise:9", "noise_level": 9}, "is for `task=denoise`"),
        ({"task": "denoise", "noise_level": 9, "loss": "mse"}, "learns variances"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageTrain(images="i", **settings)  # type: ignore[arg-type]


def test_degrading_is_a_regression() -> None:
    config = ImageTrain(images="i", degrade="blur:1,noise:5")  # type: ignore[arg-type]
    assert (config.task, config.degrade, config.makes_pairs) == ("regression", ["blur:1", "noise:5"], True)


@pytest.mark.parametrize("shape", [(1, 64, 48), (2, 12, 20, 20)])
def test_hidden_pixels_show_a_neighbour_and_are_asked_for(shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)  # all different
    shown, target = BlindSpots(share=0.05, radius=3).make_pair(pixels, rng())
    hidden = ~np.isnan(target)
    assert 0.02 < hidden.mean() < 0.08
    assert (hidden == hidden[:1]).all()  # in all channels
    assert np.array_equal(target[hidden], pixels[hidden])
    assert np.array_equal(shown[~hidden], pixels[~hidden])
    assert (shown[hidden] != pixels[hidden]).all()
    places, sources = (np.stack(np.unravel_index(part.astype(int), shape)) for part in (pixels[hidden], shown[hidden]))
    assert np.abs(places - sources).max() == 3
    assert (places[0] == sources[0]).all()


def test_an_image_has_one_hidden_pixel_at_least() -> None:
    _, target = BlindSpots(share=1e-9).make_pair(np.ones((1, 2, 1), np.float32), rng())
    assert (~np.isnan(target)).sum() == 1
