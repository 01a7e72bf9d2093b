from __future__ import annotations

import re

import numpy as np
import pytest

from multiunet.domains.image.files.readers import Picture
from multiunet.domains.image.survey.duplicates import ContentIndex, hash_content
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError


def picture(seed: int, channels: int = 1) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 255, (1, 9, 12), dtype=np.uint8)
    return Picture(np.repeat(pixels, channels, axis=0), "rgb" if channels == 3 else "grey")


def add(contents: ContentIndex, split: Split, path: str, given: Picture) -> None:
    contents.add(split, path, hash_content(given), given)


def test_contents_are_of_pixels_and_of_their_places() -> None:
    one = picture(0)
    assert hash_content(one) == hash_content(picture(0)) == hash_content(picture(0, channels=3))
    assert re.fullmatch("[0-9a-f]{16}", hash_content(one))
    turned = Picture(one.pixels[:, ::-1].copy(), "grey")
    longer = Picture(one.pixels.reshape(1, 12, 9), "grey")
    assert len({hash_content(other) for other in (one, turned, longer, picture(1))}) == 4


def test_one_image_is_in_one_split() -> None:
    contents = ContentIndex()
    add(contents, "train", "a.png", picture(0))
    add(contents, "train", "b.png", picture(0))  # twice in training harms nobody
    add(contents, "test", "c.png", picture(1))
    with pytest.raises(InputError, match=r"d\.png \(val\) and c\.png \(test\) are the same image"):
        add(contents, "val", "d.png", picture(1))
    assert list(contents.seen().values()) == ["a.png"]


def test_nothing_is_said_of_images_that_are_alike_by_nature() -> None:
    contents, black = ContentIndex(), Picture(np.zeros((1, 9, 12), np.uint8), "grey")
    add(contents, "train", "a.png", black)
    add(contents, "test", "b.png", black)
    assert contents.seen() == {}
