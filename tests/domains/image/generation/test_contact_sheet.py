from __future__ import annotations

import numpy as np

from multiunet.domains.image.generation.contact_sheet import GAP, THUMBNAIL, TITLE, make_sheet, make_thumbnail
from multiunet.domains.image.generation.pictures import as_numbers


def test_small_images_are_enlarged_by_whole_numbers() -> None:
    image = np.array([[[0.0, 5.0], [10.0, 20.0]]], np.float32)
    thumbnail = make_thumbnail(image, 0.0, 10.0)
    assert thumbnail.shape == (THUMBNAIL, THUMBNAIL, 3)
    half = THUMBNAIL // 2
    assert [thumbnail[y, x, 0] for y in (0, half) for x in (0, half)] == [0, 128, 255, 255]


def test_large_images_are_shrunk_to_means() -> None:
    image = np.zeros((1, 4 * THUMBNAIL, 2 * THUMBNAIL), np.float32)
    image[:, ::2] = 1.0
    thumbnail = make_thumbnail(image, 0.0, 1.0)
    assert thumbnail.shape == (THUMBNAIL, THUMBNAIL // 2, 3)
    assert set(thumbnail.ravel().tolist()) <= {127, 128}


def test_a_volume_shows_its_middle_slice_and_colours_stay() -> None:
    volume = np.zeros((3, 5, 2, 2), np.float32)
    volume[1, 2] = 1.0
    assert make_thumbnail(volume, 0.0, 1.0)[0, 0].tolist() == [0, 255, 0]


def test_conditions_are_rows_and_one_alone_is_a_square() -> None:
    image = np.zeros((1, THUMBNAIL, THUMBNAIL), np.float32)
    side = THUMBNAIL + GAP
    assert make_sheet([[image] * 3, [image]], 0.0, 1.0).shape == (2 * side + GAP, 3 * side + GAP, 3)
    assert make_sheet([[image] * 4], 0.0, 1.0).shape == (2 * side + GAP, 2 * side + GAP, 3)


def test_titles_stand_above_their_rows() -> None:
    image = np.zeros((1, THUMBNAIL, THUMBNAIL), np.float32)
    rows, side = [[image], [image]], THUMBNAIL + GAP
    titled = make_sheet(rows, 0.0, 1.0, ["label-one", ""])
    assert titled.shape == (2 * (side + TITLE) + GAP, side + GAP, 3)
    first, second = titled[GAP : GAP + TITLE], titled[GAP + side + TITLE : GAP + side + 2 * TITLE]
    assert first.min() < 100
    assert second.min() == 255
    assert np.array_equal(titled[GAP + TITLE : side + TITLE], make_sheet(rows, 0.0, 1.0)[GAP:side])
    assert make_sheet([[image] * 4], 0.0, 1.0, ["sample"]).shape == (2 * side + GAP, 2 * side + GAP, 3)


def test_numbers_are_those_of_the_training_images() -> None:
    values = np.array([-3.0, 2.6, 70_000.0], np.float32)
    assert as_numbers(values, "uint16").tolist() == [0, 3, 65535]
    assert as_numbers(values, "int16").tolist() == [-3, 3, 32767]
    assert as_numbers(values, "bool").tolist() == [0, 3, 255]
    assert as_numbers(values, "float32").dtype == np.float32
    assert as_numbers(np.array([2.0**31], np.float32), "int32").tolist() == [2**31 - 1]
