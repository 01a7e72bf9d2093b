"""Files that were cut short or damaged are refused, or read as the whole, wherever they were cut."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError

STACK = np.random.default_rng(0).integers(0, 200, (12, 20, 24)).astype(np.uint8)
SIZES = {f"PhysicalSize{axis}": 0.5 for axis in "XYZ"}


def imagej(path: Path) -> None:
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"})


def imagej_channels(path: Path) -> None:
    tifffile.imwrite(path, STACK.reshape(6, 2, 20, 24), imagej=True, metadata={"axes": "ZCYX"})


def ome(path: Path) -> None:
    tifffile.imwrite(path, STACK, ome=True, photometric="minisblack", metadata={"axes": "ZYX", **SIZES})


def ome_compressed(path: Path) -> None:
    tifffile.imwrite(
        path, STACK, ome=True, photometric="minisblack", compression="zlib", metadata={"axes": "ZYX", **SIZES}
    )


def shaped(path: Path) -> None:
    tifffile.imwrite(path, STACK, photometric="minisblack")


def compressed(path: Path) -> None:
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")


def big_tiles(path: Path) -> None:
    tifffile.imwrite(path, STACK, photometric="minisblack", tile=(16, 16), compression="zlib", bigtiff=True)


def pages(path: Path) -> None:
    with tifffile.TiffWriter(path, byteorder=">") as file:
        for page in STACK:
            file.write(page, metadata=None, contiguous=False)


def pillow(path: Path) -> None:
    first, *others = (Image.fromarray(page) for page in STACK)
    first.save(path, save_all=True, append_images=others)


def flat(path: Path) -> None:
    Image.fromarray(STACK[0]).save(path)


def nifti(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(STACK.T, np.eye(4)), path)


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=STACK, chunks=(3, 10, 12), compression="gzip")


TIFFS = [imagej, imagej_channels, ome, ome_compressed, shaped, compressed, big_tiles, pages, pillow]
WRITERS = [
    *((write, "a.tif") for write in TIFFS),
    *((flat, f"a.{ending}") for ending in ("png", "bmp", "jpg")),
    (nifti, "a.nii"),
    (nifti, "a.nii.gz"),
    (hdf5, "a.h5"),
]


def read(path: Path) -> tuple[np.ndarray, tuple[float, ...] | None]:
    picture = read_image(path)
    return np.asarray(picture.pixels), picture.spacing


@pytest.mark.parametrize(("write", "name"), WRITERS, ids=[f"{write.__name__}-{name}" for write, name in WRITERS])
def test_cut_files_are_refused_or_read_whole(write: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path)
    pixels, spacing = read(path)
    if write is not flat:
        np.testing.assert_array_equal(np.sort(pixels.ravel()), np.sort(STACK.ravel()))
    data = path.read_bytes()
    refused = 0
    for cut in {*np.linspace(1, len(data) - 1, 40).astype(int).tolist(), len(data) - 1, len(data) - 2}:
        path.write_bytes(data[:cut])
        try:
            found, steps = read(path)
        except InputError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, pixels, err_msg=f"{cut} of {len(data)} bytes")
            assert steps == spacing
    assert refused >= 35


@pytest.mark.parametrize("name", ["a.nii.gz", "a.png"])
def test_flipped_bits_are_refused_or_change_no_pixel(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (nifti if name == "a.nii.gz" else flat)(path)
    pixels, spacing = read(path)
    data = path.read_bytes()
    refused = 0
    for place in np.linspace(0, len(data) - 1, 60).astype(int).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found, steps = read(path)
        except InputError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, pixels, err_msg=f"byte {place} of {len(data)}")
            assert steps == spacing
    assert refused >= 50


@pytest.mark.parametrize("rest", [b"\x00" * 600, b"more"])
def test_bytes_behind_the_voxels(rest: bytes, tmp_path: Path) -> None:
    """Padding is nothing; other bytes say that the header is wrong."""
    nifti(tmp_path / "a.nii")
    data = (tmp_path / "a.nii").read_bytes() + rest
    (tmp_path / "a.nii").write_bytes(data)
    with gzip.open(tmp_path / "a.nii.gz", "wb") as file:
        file.write(data)
    for name in ("a.nii", "a.nii.gz"):
        if any(rest):
            with pytest.raises(InputError, match=f"{name}: holds more bytes than its header describes"):
                read_image(tmp_path / name)
        else:
            np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0], STACK)


def test_bytes_behind_the_gzip_stream_are_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii.gz")
    with open(tmp_path / "a.nii.gz", "ab") as file:
        file.write(b"something else")
    with pytest.raises(InputError, match=r"a\.nii\.gz: damaged"):
        read_image(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("compressors", [None, "auto"])
def test_cut_chunks_of_zarr_are_refused(compressors: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=STACK, chunks=(12, 20, 24), compressors=compressors)
    [chunk] = [file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json"]
    data = chunk.read_bytes()
    for cut in np.linspace(0, len(data) - 1, 20).astype(int).tolist():
        chunk.write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"a\.zarr: "):
            read_image(path)


def test_parts_that_are_not_stored_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=STACK, chunks=(6, 20, 24), fill_value=7)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        array = file.create_dataset("raw", STACK.shape, np.uint8, chunks=(6, 20, 24), fillvalue=7)
        array[:6] = STACK[:6]
    read_image(tmp_path / "a.zarr")
    assert not caplog.text
    shutil.rmtree(tmp_path / "a.zarr/c/1")
    for name in ("a.zarr", "a.h5"):
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0, 6:], 7)
        assert f"{name}: 1 of the 2 parts that it is stored in are not there, and read as 7" in caplog.text


def test_parts_in_other_files_must_be_there(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["half"] = STACK[:6]
    layout = h5py.VirtualLayout(STACK.shape, np.uint8)
    layout[:6] = h5py.VirtualSource(tmp_path / "part.h5", "half", (6, 20, 24))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    np.testing.assert_array_equal(read_image(tmp_path / "a.h5").pixels[0, :6], STACK[:6])
    (tmp_path / "part.h5").unlink()
    with pytest.raises(InputError, match=r"a\.h5: a part of its array lies in .*part\.h5, which is not there"):
        read_image(tmp_path / "a.h5")
