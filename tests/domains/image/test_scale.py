from __future__ import annotations

import pytest

from multiunet.domains.image.scale import ALIKE, tell_of_mixed_scales, tell_of_scales

FACTS = {"spacing": [0.5, 0.1, 0.1], "fingerprint": {"spacing": {"median": [0.5, 0.1, 0.1]}}}


def test_other_scales_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    spacings = {"a.tif": [0.5, 0.11, 0.09], "b.tif": None, "c.tif": [0.5, 0.2, 0.2], "d.tif": [0.2, 0.1, 0.1]}
    tell_of_scales(spacings, FACTS)
    [said] = caplog.messages
    assert said.startswith("c.tif: pixels are 0.5 x 0.2 x 0.2 µm apart, those trained on 0.5 x 0.1 x 0.1, as in 2 of")


@pytest.mark.parametrize("facts", [{"spacing": [1.0, 1.0]}, {"spacing": [1.0, 1.0], "fingerprint": {"spacing": None}}])
def test_nothing_is_said_of_pixels_whose_size_nobody_knew(facts: dict, caplog: pytest.LogCaptureFixture) -> None:
    tell_of_scales({"a.tif": [0.1, 0.1]}, facts)
    assert not caplog.messages


def test_mixed_scales_are_those_that_augmentation_does_not_make(caplog: pytest.LogCaptureFixture) -> None:
    alike = {"a.tif": [1.0, 1.0], "b.tif": [1.0 * ALIKE, 1.0], "c.tif": [1.0, 1.0 / ALIKE], "d.tif": None}
    tell_of_mixed_scales(alike, [1.0, 1.0])
    assert not caplog.messages
    tell_of_mixed_scales({**alike, "e.tif": [1.0, 1.3], "f.tif": [2.0, 2.0]}, [1.0, 1.0])
    [said] = caplog.messages
    assert said.startswith(
        "e.tif: pixels are 1 x 1.3 µm apart, but the median of the training images is 1 x 1, and 2 of"
    )
