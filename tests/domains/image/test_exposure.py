from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multiunet.domains.image.exposure import tell_of_intensities, unlike_trained
from multiunet.domains.image.readers import Picture


def facts(kind: str = "train") -> dict[str, Any]:
    channel = {"percentile_0.5": 20.0, "percentile_99.5": 200.0}
    return {"intensities": {"kind": kind}, "fingerprint": {"numbers": ["uint8"], "intensities": [channel]}}


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
def test_what_sets_an_image_apart(given: Picture, said: str | None) -> None:
    assert unlike_trained(given, facts()) == unlike_trained(given, facts("none")) == said
    assert unlike_trained(given, facts("image")) is None


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    tell_of_intensities({"a.png": None, "b.png": "dark", "c.png": "dark"}, "train")
    [message] = caplog.messages
    assert message.startswith("b.png: dark, as in 2 of the 3 images; with --intensities train")
    tell_of_intensities({"a.png": None}, "train")
    assert len(caplog.messages) == 1
