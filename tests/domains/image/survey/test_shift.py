from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from multiunet.domains.image.files.readers import Picture
from multiunet.domains.image.fingerprint_info import Channel, Spread
from multiunet.domains.image.info import ImageInfo, Intensities
from multiunet.domains.image.survey.shift import (
    ALIKE,
    ShiftCheck,
    describe_shift,
    warn_of_intensities,
    warn_of_mixed_scales,
    warn_of_scales,
)


@pytest.fixture
def info(make_info: Any) -> Callable[..., ImageInfo]:
    """Makes infos of images of numbers from 20 to 200, standardised in this way, with this spacing."""

    def make(kind: str = "train", spacing: tuple[float, ...] | None = None) -> ImageInfo:
        ndim = len(spacing or (1, 1))
        moments: dict[str, Any] = {} if kind == "image" else {"mean": (90.0,), "deviation": (30.0,)}
        known = make_info(ndim=ndim, spacing=spacing or (1.0,) * ndim, intensities=Intensities(kind=kind, **moments))
        channel = Channel(mean=90.0, deviation=30.0, low=20.0, median=90.0, high=200.0)
        stated = None if spacing is None else Spread(median=spacing, smallest=spacing, largest=spacing)
        fingerprint = known.fingerprint.model_copy(update={"intensities": (channel,), "spacing": stated})
        return known.model_copy(update={"fingerprint": fingerprint})

    return make


def picture(value: int, kind: type = np.uint8) -> Picture:
    return Picture(np.full((1, 4, 4), value, kind), "grey")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (picture(100), None),
        (picture(100, np.uint16), "its numbers are uint16, those trained on uint8"),
        (picture(250), "its mean is 250, and 99% of what was trained on lie between 20 and 200"),
    ],
)
def test_what_sets_an_image_apart(info: Any, given: Picture, said: str | None) -> None:
    assert describe_shift(given, info()) == describe_shift(given, info("none")) == said
    assert describe_shift(given, info("image")) is None


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_intensities({"a.png": None, "b.png": "dark", "c.png": "dark"}, "train")
    [message] = caplog.messages
    assert message.startswith("b.png: dark, as in 2 of the 3 images; with `intensities=train`")
    warn_of_intensities({"a.png": None}, "train")
    assert len(caplog.messages) == 1


def test_other_scales_are_told_of_once(info: Any, caplog: pytest.LogCaptureFixture) -> None:
    spacings = {"a.tif": [0.5, 0.11, 0.09], "b.tif": None, "c.tif": [0.5, 0.2, 0.2], "d.tif": [0.2, 0.1, 0.1]}
    warn_of_scales(spacings, info(spacing=(0.5, 0.1, 0.1)))
    [said] = caplog.messages
    assert said.startswith("c.tif: pixels are 0.5 x 0.2 x 0.2 µm apart, those trained on 0.5 x 0.1 x 0.1, as in 2 of")


def test_nothing_is_said_of_pixels_whose_size_nobody_knew(info: Any, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_scales({"a.tif": [0.1, 0.1]}, info())
    assert not caplog.messages


def test_images_are_collected_and_told_of_together(info: Any, caplog: pytest.LogCaptureFixture) -> None:
    shift = ShiftCheck(info(spacing=(0.1, 0.1)))
    for index, step in enumerate((0.1, 0.2, 0.3)):
        shift.add(f"{index}.png", Picture(np.full((1, 4, 4), 90 * index, np.uint8), "grey", (step, step), "µm"))
    assert not caplog.messages
    shift.warn()
    assert [text.split(",")[0] for text in caplog.messages] == [
        "1.png: pixels are 0.2 x 0.2 µm apart",
        "0.png: its mean is 0",
    ]


def test_mixed_scales_are_those_that_augmentation_does_not_make(caplog: pytest.LogCaptureFixture) -> None:
    alike = {"a.tif": [1.0, 1.0], "b.tif": [1.0 * ALIKE, 1.0], "c.tif": [1.0, 1.0 / ALIKE], "d.tif": None}
    warn_of_mixed_scales(alike, [1.0, 1.0])
    assert not caplog.messages
    warn_of_mixed_scales({**alike, "e.tif": [1.0, 1.3], "f.tif": [2.0, 2.0]}, [1.0, 1.0])
    [said] = caplog.messages
    assert said.startswith(
        "e.tif: pixels are 1 x 1.3 µm apart, but the median of the training images is 1 x 1, and 2 of"
    )


@pytest.mark.parametrize(("given", "said"), [("LPS", True), ("RAS", False), (None, False)])
def test_axes_that_point_elsewhere_than_in_training_are_said(
    info: Any, caplog: pytest.LogCaptureFixture, given: str | None, said: bool
) -> None:
    check = ShiftCheck(info("image").model_copy(update={"orientation": "RAS"}))
    check.add("a.nii", Picture(np.full((1, 4, 4), 9, np.uint8), "grey", orientation=given))
    check.warn()
    expected = "a.nii: its axes point LPS, those trained on RAS, as in 1 of the 1 images"
    assert (expected in caplog.text, "axes" in caplog.text) == (said, said)
