from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files import lazy
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.fingerprint_info import Sides
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.fingerprint import COUNTED, SUBSAMPLED, FingerprintCollector, ObjectSizes


def test_of_a_folder(folder: Any) -> None:
    root = folder(6)
    info = survey(ImageTrain(images=root / "images", masks=root / "masks"))
    found = info.fingerprint
    images = np.concatenate([np.asarray(Image.open(item.image)).ravel() for item in info.split.train])
    assert (found.images, found.numbers, found.spacing) == ({"train": 4, "val": 1, "test": 1}, ("uint8",), None)
    assert found.pixels == {"train": 4 * 40 * 48, "val": 40 * 48, "test": 40 * 48}
    assert found.size == Sides(median=(40, 48), smallest=(40, 48), largest=(40, 48))
    assert found.intensities[0].mean == pytest.approx(images.mean(), rel=1e-3)
    assert found.intensities[0].median == pytest.approx(np.median(images), rel=1e-3)
    assert sum(kind.share for kind in found.classes.values()) == pytest.approx(1, abs=1e-3)


def test_objects_are_counted_in_the_first_masks() -> None:
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[2:5, 2:5] = mask[8:12, 8:12] = mask[19, 19] = 1
    found = ObjectSizes()
    for _ in range(COUNTED + 3):
        found.labelled(mask, [0, 1])
    assert found.masks == COUNTED
    assert sorted(found.sizes[1]) == sorted([9, 16, 1] * COUNTED)
    assert found.sizes[0] == [400 - 26] * COUNTED


@pytest.mark.parametrize("shape", [(23, 31), (5, 12, 17)])
def test_objects_are_those_of_each_value_labelled_for_itself(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    mask = np.kron(rng.integers(-3, 5, shape), np.ones((2,) * len(shape))).astype(np.int16)
    values = [value for value in range(-3, 5) if value != 2]  # 2 is ignored
    found = ObjectSizes()
    found.labelled(mask, values)
    expected = {value: np.bincount(ndimage.label(mask == value)[0].ravel())[1:].tolist() for value in values}
    assert {value: sorted(sizes) for value, sizes in found.sizes.items()} == {
        value: sorted(sizes) for value, sizes in expected.items()
    }
    assert found.shown == 6


def test_colours_far_apart_are_kept_apart() -> None:
    found = ObjectSizes()
    found.labelled(np.array([[0xFFFFFF, 0xFFFFFF, 0x0000FF, 0, 0xFFFFFF]]), [0, 0x0000FF, 0xFFFFFF])
    assert found.sizes == {0: [1], 0x0000FF: [1], 0xFFFFFF: [2, 1]}


@pytest.mark.parametrize("side", [512, 1000, 2500])
def test_pixels_looked_at_are_of_all_columns_and_all_rows(side: int) -> None:
    places = np.arange(side, dtype=np.uint16)
    across, down = np.broadcast_to(places, (side, side)), np.broadcast_to(places[:, None], (side, side))
    found = FingerprintCollector()
    found.image(np.stack([across, down]), None, "train")
    [thinned] = found.subsampled
    assert SUBSAMPLED / 2 < thinned.shape[1] <= SUBSAMPLED
    for channel in thinned:
        assert len(np.unique(channel)) == side


def test_pixels_looked_at_do_not_depend_on_how_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).normal(size=(2, 30, 250, 70))
    whole = FingerprintCollector()
    whole.image(pixels, None, "train")
    monkeypatch.setattr(lazy, "WHOLE", 0)
    monkeypatch.setattr(lazy, "BLOCK", 30_000)
    in_parts = FingerprintCollector()
    in_parts.image(replace(Lazy.of(pixels), chunk=(2, 7, 40, 33)), None, "train")
    assert len(list(lazy.iter_blocks(replace(Lazy.of(pixels), chunk=(2, 7, 40, 33)), whole=1))) > 5
    for one, other in zip(whole.subsampled[0], in_parts.subsampled[0]):
        np.testing.assert_array_equal(np.sort(one), np.sort(other))
