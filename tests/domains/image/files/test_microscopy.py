"""Files of electron microscopes are read by RosettaSciIO, with titles as names of channels and sizes of pixels."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 200, (2, 20, 24)).astype(np.uint16)


def write_emd(path: Path, titles: list[str], size: tuple[int, int] = (20, 24)) -> Path:
    """Write images of NCEM's form, whose pixels are 2 nm along y and 3 nm along x."""
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        for index, title in enumerate(titles):
            group = file.create_group(f"signals/{title}")
            group.attrs["emd_group_type"] = 1
            group["data"] = PIXELS[index % 2, : size[0] - 4 * index * (size != (20, 24))]
            for axis, (name, step) in enumerate((("y", 2.0), ("x", 3.0)), 1):
                dim = group.create_dataset(f"dim{axis}", data=np.arange(group["data"].shape[axis - 1]) * step)
                dim.attrs["name"], dim.attrs["units"] = name, "nm"
    return path


def write_dm3(path: Path, pixels: np.ndarray, steps: tuple[float, float] = (2.0, 3.0)) -> Path:
    """Write the least of a DM3 file that holds an image: tags of a tree, big-endian, their values little-endian."""

    def group(*entries: bytes) -> bytes:
        return struct.pack(">??i", False, False, len(entries)) + b"".join(entries)

    def named(kind: int, name: str, content: bytes) -> bytes:
        return struct.pack(">BH", kind, len(name)) + name.encode() + content

    def branch(name: str, *entries: bytes) -> bytes:
        return named(20, name, group(*entries))

    def value(name: str, code: int, form: str, number: float) -> bytes:
        return named(21, name, b"%%%%" + struct.pack(">2i", 1, code) + struct.pack("<" + form, number))

    def array(name: str, code: int, values: bytes, count: int) -> bytes:
        return named(21, name, b"%%%%" + struct.pack(">4i", 3, 20, code, count) + values)

    def text(name: str, words: str) -> bytes:
        return array(name, 4, words.encode("utf-16-le"), len(words))

    rows, columns = pixels.shape
    along = [
        branch("", value("Origin", 6, "f", 0.0), value("Scale", 6, "f", step), text("Units", "nm"))
        for step in reversed(steps)
    ]
    data = branch(
        "ImageData",
        branch(
            "Calibrations",
            branch("Brightness", value("Origin", 6, "f", 0.0), value("Scale", 6, "f", 1.0), text("Units", "")),
            branch("Dimension", *along),
        ),
        array("Data", 4, pixels.astype("<u2").tobytes(), pixels.size),
        value("DataType", 5, "I", 10),
        branch("Dimensions", value("", 5, "I", columns), value("", 5, "I", rows)),
        value("PixelDepth", 5, "I", 2),
    )
    tree = group(branch("ImageList", branch("", data, text("Name", "A"), branch("ImageTags"))))
    path.write_bytes(struct.pack(">3i", 3, len(tree), 1) + tree + bytes(8))
    return path


def write_ser(path: Path, pixels: np.ndarray) -> Path:
    """Write an image of TIA: a header, the places of one element, and the element; 2 nm along y, 3 nm along x."""
    rows, columns = pixels.shape
    dimension = struct.pack("<Iddi", 1, 0.0, 1.0, 0) + struct.pack("<I", 6) + b"Number" + struct.pack("<I", 0)
    start = 30 + len(dimension)
    head = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 1, 1, start, 1) + dimension
    element = struct.pack("<ddiddiHii", 0.0, 3e-9, 0, 0.0, 2e-9, 0, 2, columns, rows) + pixels.astype("<u2").tobytes()
    tag = struct.pack("<HxxI", 0x4152, 0)
    place = start + 8
    path.write_bytes(head + struct.pack("<2I", place, place + len(element)) + element + tag)
    return path


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rsciio", None)
    monkeypatch.setitem(sys.modules, "rsciio.digitalmicrograph", None)
    (tmp_path / "a.dm3").write_bytes(b"x")
    with pytest.raises(InputError, match=r'a.dm3: is read by RosettaSciIO, .* pip install "multiunet\[microscopy\]"'):
        read_image(tmp_path / "a.dm3")


def test_an_image_of_each_format_has_its_pixels_and_their_size(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    files = [
        write_emd(tmp_path / "a.emd", ["HAADF"]),
        write_dm3(tmp_path / "a.dm3", PIXELS[0]),
        write_ser(tmp_path / "a.ser", PIXELS[0, ::-1]),  # TIA stores rows from below
    ]
    for path in files:
        picture = read_image(path)
        assert picture.pixels.shape == (1, 20, 24), path
        np.testing.assert_array_equal(picture.pixels[0], PIXELS[0])
        assert picture.spacing == pytest.approx((2e-3, 3e-3)), path


def test_images_of_one_size_are_channels_with_their_titles(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    path = write_emd(tmp_path / "a.emd", ["HAADF", "BF"])
    np.testing.assert_array_equal(read_image(path, ("HAADF", "BF")).pixels, PIXELS)
    np.testing.assert_array_equal(read_image(path, ("bf",)).pixels[0], PIXELS[1])
    np.testing.assert_array_equal(read_image(Path(f"{path}:/BF")).pixels[0], PIXELS[1])
    other = write_emd(tmp_path / "b.emd", ["HAADF", "BF"], size=(16, 24))
    with pytest.raises(InputError, match=r"b.emd: holds 2 images .*name one, as .*b.emd:/"):
        read_image(other)
    assert read_image(Path(f"{other}:/HAADF")).space == (16, 24)


def test_links_out_of_a_file_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    secret = write_emd(tmp_path / "secret.emd", ["A"])
    path = write_emd(tmp_path / "a.emd", ["HAADF"])
    with h5py.File(path, "r+") as file:
        file["signals/other"] = h5py.ExternalLink(str(secret), "/signals/A")
    with pytest.raises(InputError, match=r"a.emd: other is a link to another file"):
        read_image(path)


def test_an_array_beyond_belief_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    path = write_emd(tmp_path / "a.emd", ["HAADF"])
    with h5py.File(path, "r+") as file:
        file.create_dataset("vast", shape=(1 << 21, 1 << 21), dtype="f4", chunks=(64, 64))
    with pytest.raises(InputError, match=r"a.emd: says that /vast has 2,097,152 x 2,097,152 values"):
        read_image(path)


@pytest.mark.parametrize("kind", [".dm3", ".ser", ".bcf", ".emd", ".dm4"])
def test_what_is_no_such_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    path = tmp_path / f"a{kind}"
    for content in (b"x", bytes(4096), bytes(range(256)) * 8):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"a\\{kind}: "):
            read_image(path)


@pytest.mark.parametrize("make", [write_dm3, write_ser])
def test_a_file_that_is_cut_short_is_refused(make: Any, tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    path = make(tmp_path / f"a.{make.__name__[-3:]}", PIXELS[0])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=path.name):
        read_image(path)
