"""Points in time of TIFF files: images of their own, of one group, each read alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from multiunet.domains.image.files import tiff
from multiunet.domains.image.files.listing import file_of_part, list_images
from multiunet.domains.image.files.readers import open_stack, read_image
from multiunet.errors import InputError

KINDS: dict[str, dict[str, Any]] = {
    "imagej": {"imagej": True},
    "ome": {"ome": True},
    "packed": {"ome": True, "compression": "zlib"},
    "axes alone": {},
}


def write(path: Path, axes: str, times: int = 3, kind: str = "imagej") -> np.ndarray:
    """Write a movie; return its numbers ``(t, c, z, y, x)``."""
    sizes = {"T": times, "Z": 4, "C": 2, "Y": 20, "X": 30}
    values = np.random.default_rng(times).integers(0, 255, [sizes[axis] for axis in axes], dtype=np.uint8)
    tifffile.imwrite(path, values, photometric="minisblack", metadata={"axes": axes}, **KINDS[kind])
    missing = [axis for axis in "TCZYX" if axis not in axes]
    full = values.reshape(values.shape + (1,) * len(missing))
    return full.transpose([(axes + "".join(missing)).index(axis) for axis in "TCZYX"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ["TYX", "TCYX", "TZYX", "TZCYX"])
def test_each_point_in_time_is_an_image(axes: str, kind: str, tmp_path: Path) -> None:
    values = write(tmp_path / "a.tif", axes, kind=kind)
    found = list_images(tmp_path)
    assert list(found) == ["a_t1", "a_t2", "a_t3"]
    for time, path in enumerate(found.values()):
        expected = values[time] if "Z" in axes else values[time][:, 0]
        picture = read_image(path)
        assert picture.colour == ("channels" if "C" in axes else "grey")
        np.testing.assert_array_equal(picture.pixels, expected)
        window = open_stack(path, "image").pixels[(slice(None), *[slice(1, 4)] * (expected.ndim - 1))]
        np.testing.assert_array_equal(window, expected[(slice(None), *[slice(1, 4)] * (expected.ndim - 1))])
        assert file_of_part(path) == str(tmp_path / "a.tif")


def test_others_of_a_folder_stay_what_they_are(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", "TYX", times=11)
    write(tmp_path / "b.tif", "TYX", times=1)
    write(tmp_path / "c.tif", "ZYX")
    assert list(list_images(tmp_path)) == [*(f"a_t{time:02}" for time in range(1, 12)), "b", "c"]
    assert [file_of_part(tmp_path / name) for name in ("b.tif", "c.tif", "c.tif:/z")] == [None] * 3
    assert read_image(tmp_path / "b.tif").space == read_image(tmp_path / "b.tif:/t1").space == (20, 30)


def test_one_time_is_read_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = write(tmp_path / "a.tif", "TYX", kind="packed")
    monkeypatch.setattr(tiff, "_decode", lambda path: pytest.fail("all times are decoded"))
    stack = open_stack(tmp_path / "a.tif:/t2", "image").pixels
    assert (stack.shape, stack.chunk) == ((1, 20, 30), (1, 20, 30))
    np.testing.assert_array_equal(stack[...], values[1][:, 0])


def test_times_that_are_sections_are_a_volume(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = write(tmp_path / "a.tif", "TYX")
    [path] = list_images(Path(f"{tmp_path}/*.tif:/z")).values()
    np.testing.assert_array_equal(read_image(path).pixels, values[:, 0, 0][None])
    assert not caplog.text
    list_images(tmp_path)
    assert "a.tif: holds points in time, as it states, so each is an image of its own" in caplog.text
    assert "if they are sections (z) of a volume, name them FILE.tif:/z" in caplog.text


@pytest.mark.parametrize(
    ("axes", "place", "message"),
    [
        ("TYX", "", r"a\.tif: holds 3 points in time; name one, as .*a\.tif:/t1, or, .* of a volume, .*a\.tif:/z"),
        ("TYX", ":/t4", r"a\.tif:/t4: no such image; there are points in time t1 to t3"),
        ("TYX", ":/t0", r"a\.tif:/t0: no such image"),
        ("TZYX", ":/z", r"a\.tif:/z: no such image; there are points in time t1 to t3"),
        ("ZYX", ":/t2", r"a\.tif:/t2: no such image; there is one image and no others"),
        ("ZYX", ":/c", r"a\.tif:/c: no such image"),
    ],
)
def test_what_is_not_there_is_refused(axes: str, place: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "a.tif", axes)
    with pytest.raises(InputError, match=message):
        read_image(Path(f"{tmp_path / 'a.tif'}{place}"))


def test_what_is_wrong_with_a_file_its_reader_says(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", "TYX", kind="ome")
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) // 2])
    assert list(list_images(tmp_path)) == ["a"]
    with pytest.raises(InputError, match=r"a\.tif: cut short"):
        read_image(tmp_path / "a.tif")
