"""TIFF files of predictions: the same prediction is the same file, which says nothing of the machine."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import tifffile
import xarray as xr

from multiunet.domains.image.prediction.tiff_files import make_uuid, write_tiff

PIXELS = np.arange(48, dtype=np.float32).reshape(6, 8)
DATASET = xr.Dataset({"total": (("channel", "y", "x"), PIXELS[None])}, coords={"channel": ["a"]})


def write(path: Path, pixels: np.ndarray) -> bytes:
    write_tiff(path, pixels, DATASET)
    np.testing.assert_array_equal(tifffile.imread(path), pixels)
    return path.read_bytes()


def test_equal_pixels_are_equal_files(tmp_path: Path) -> None:
    assert write(tmp_path / "a.tif", PIXELS) == write(tmp_path / "b.tif", PIXELS)
    assert write(tmp_path / "a.tif", PIXELS) != write(tmp_path / "b.tif", PIXELS + 1)


def test_the_identifier_holds_no_address_of_the_machine(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", PIXELS)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert f"urn:uuid:{make_uuid(PIXELS, 'YX')}" in (file.ome_metadata or "")
    assert uuid.UUID(make_uuid(PIXELS, "YX")).version == 5  # 1 would be of the time and of the network's address
    assert make_uuid(PIXELS, "YX") != make_uuid(PIXELS, "XY")
