from __future__ import annotations

import io

import numpy as np
from PIL import Image

from multiunet.domains.report.rasters import UNKNOWN, encode, encode_labels, encode_scaled, load_colours, stretch


def decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_labels_keep_their_colours_exactly() -> None:
    labels = np.array([[0, 1], [2, -1]])
    colours = np.array([[0, 0, 0], [230, 159, 0], [86, 180, 233]], np.uint8)
    shown = decode(encode_labels(labels, colours))
    assert shown.tolist() == [[[0, 0, 0], [230, 159, 0]], [[86, 180, 233], list(UNKNOWN)]]


def test_a_scale_runs_from_its_low_to_its_high_end() -> None:
    shown = decode(encode_scaled(np.array([[0.0, 5.0, np.nan, 99.0]]), 0, 10, "uncertainty"))
    table = load_colours("uncertainty")
    assert shown[0].tolist() == [table[0].tolist(), table[128].tolist(), list(UNKNOWN), table[255].tolist()]


def test_many_colours_take_the_smaller_file() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert encode(noise)[:2] == b"\xff\xd8"  # JPEG
    assert encode(np.zeros((64, 64, 3), np.uint8))[:4] == b"\x89PNG"


def test_contrast_is_stretched_over_what_is_known() -> None:
    pixels = np.concatenate([np.linspace(100, 200, 1000), [np.nan]]).reshape(1, 1, -1)
    shown = stretch(pixels)
    assert shown.shape == (1, 1001, 3)
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[0, 999].tolist() == [255, 255, 255]
