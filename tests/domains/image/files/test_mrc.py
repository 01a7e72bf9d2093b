"""MRC files are read as RosettaSciIO reads them, by windows, and refused where they are cut short."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.image.files.readers import open_stack, read_image
from multiunet.errors import InputError

VOLUME = np.random.default_rng(0).integers(0, 100, (5, 20, 24))
MODES = {0: np.int8, 1: np.int16, 2: np.float32, 6: np.uint16, 12: np.float16}


def write(
    path: Path,
    values: np.ndarray = VOLUME,
    mode: int = 2,
    order: str = "<",
    axes: tuple[int, int, int] = (1, 2, 3),
    group: int = 1,
    extended: int = 0,
) -> Path:
    """Write a volume whose voxels are 10 Angstrom along x, 20 along y and 40 along z."""
    header = bytearray(1024)
    sizes = values.shape[::-1]
    along = dict(zip(axes, sizes))
    counts = [along.get(axis, 1) for axis in (1, 2, 3)]
    struct.pack_into(f"{order}4i", header, 0, *sizes, mode)
    struct.pack_into(f"{order}3i3f", header, 28, *counts, *(10.0 * n * 2**i for i, n in enumerate(counts)))
    struct.pack_into(f"{order}3i", header, 64, *axes)
    struct.pack_into(f"{order}2i", header, 88, group, extended)
    header[208:214] = b"MAP " + (b"DD" if order == "<" else b"\x11\x11")
    stored = values.astype(np.dtype(MODES.get(mode, np.float32)).newbyteorder(order))
    path.write_bytes(bytes(header) + bytes(extended) + stored.tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", MODES)
def test_numbers_of_each_mode_and_order_are_read(mode: int, order: str, tmp_path: Path) -> None:
    picture = read_image(write(tmp_path / "a.mrc", mode=mode, order=order, extended=160))
    np.testing.assert_array_equal(picture.pixels[0], VOLUME.astype(MODES[mode]))
    assert (picture.spacing, picture.unit) == (pytest.approx((4e-3, 2e-3, 1e-3)), "\u00b5m")


def test_axes_are_put_in_order(tmp_path: Path) -> None:
    picture = read_image(write(tmp_path / "a.mrc", axes=(3, 2, 1)))
    np.testing.assert_array_equal(picture.pixels[0], VOLUME.transpose(2, 1, 0))
    assert picture.spacing == pytest.approx((4e-3, 2e-3, 1e-3))


def test_a_window_is_read_alone(tmp_path: Path) -> None:
    pixels = open_stack(write(tmp_path / "a.rec", mode=1), "image").pixels
    assert pixels.chunk == (1, 1, 1, 24)
    np.testing.assert_array_equal(pixels[:, 1:3, 4:9, 2:7], VOLUME[None, 1:3, 4:9, 2:7])


def test_images_of_a_stack_have_no_distance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_image(write(tmp_path / "a.mrcs", group=0)).spacing is None
    assert "a.mrcs: is a stack of 5 images" in caplog.text


@pytest.mark.parametrize(
    ("values", "mode", "match"),
    [(VOLUME, 4, "complex numbers"), (VOLUME, 99, "mode 99"), (VOLUME[:, :0], 2, "damaged")],
)
def test_what_cannot_be_read_is_said(values: np.ndarray, mode: int, match: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"a.mrc: .*{match}"):
        read_image(write(tmp_path / "a.mrc", values, mode))


def test_a_file_that_holds_less_than_it_promises_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mrc")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"a.mrc: cut short: has 10,623 of 10,624 bytes"):
        read_image(path)
    path.write_bytes(struct.pack("<3i", *[2**31 - 1] * 3) + whole[12:])
    with pytest.raises(InputError, match=r"a.mrc: cut short"):
        read_image(path)
    path.write_bytes(whole[:500])
    with pytest.raises(InputError, match=r"a.mrc: cut short: ends within its header"):
        read_image(path)


def test_rosettasciio_reads_the_same(tmp_path: Path) -> None:
    peer = pytest.importorskip("rsciio.mrc")
    [found] = peer.file_reader(str(write(tmp_path / "a.mrc")))
    picture = read_image(tmp_path / "a.mrc")
    np.testing.assert_array_equal(found["data"], picture.pixels[0])
    scales = [axis["scale"] / 1e3 for axis in sorted(found["axes"], key=lambda axis: axis["index_in_array"])]
    assert scales == pytest.approx(picture.spacing)
