from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.files.dots import list_dots, read_dots, space_of_dots
from multiunet.errors import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n3.5,1\n0,9.25\n",
        "Label,X,Y,area\na,3.5,1,7\nb,0,9.25,8\n",
        "y;x\n1;3.5\n\n9.25;0\n",
        "\ufeffindex,axis-0,axis-1\n0,1,3.5\n1,9.25,0\n",
        "centroid-1\tcentroid-0\n3.5\t1\n0\t9.25\n",
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, text: str) -> None:
    places = read_dots(write(tmp_path / "a.csv", text), (10, 20))
    np.testing.assert_array_equal(places, [[1, 3.5], [9.25, 0]])


def test_dots_of_volumes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y,z\n1,2,3\n")
    np.testing.assert_array_equal(read_dots(path, (5, 5, 5)), [[3, 2, 1]])


@pytest.mark.parametrize("text", ["", "x,y\n", "axis-0,axis-1\n\n"])
def test_no_lines_are_no_dots(tmp_path: Path, text: str) -> None:
    assert read_dots(write(tmp_path / "a.csv", text), (10, 20)).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x,y\n3,1\n20,4\n", r"a.csv, line 3: x is 20, outside of the image, whose pixels are 0 to 19 along x"),
        ("x,y\n3,-1\n", r"line 2: y is -1, outside .* 0 to 9 along y"),
        ("x,y\n3,nan\n", r"line 2: y is nan; leave out what has no place"),
        ("x,y\n3,inf\n", r"line 2: y is inf"),
        ("x,y\n3,\n", r"line 2: y is ''; give a number of pixels"),
        ("x,y\n3\n", r"line 2: has 1 cells, but the header has 2"),
        ("x,y,x\n3,1,3\n", r"has the column 'x' twice"),
        (
            "row,col\n3,1\n",
            r"its first line is 'row,col', but an image of 2 axes needs the columns x,y \(in pixels\), or",
        ),
        ("3,1\n4,2\n", r"its first line is '3,1', but .* no dots are a header alone"),
        ("x,y,z\n3,1,2\n", r"has the columns z, y, x of coordinates, but an image of 2 axes needs the columns x,y"),
        ("axis-0,axis-1,axis-2\n3,1,2\n", r"has the columns axis-0, axis-1, axis-2 of coordinates, but an image of 2"),
        ("x\n3\n", r"has the columns x of coordinates, but an image of 2 axes"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(InputError, match=error):
        read_dots(write(tmp_path / "a.csv", text), (10, 20))


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\x0d\xff\xfe")
    with pytest.raises(InputError, match=r"a.csv: not text in UTF-8 \(byte 0\); save it as UTF-8"):
        read_dots(tmp_path / "a.csv", (10, 20))


def test_dots_on_each_other_count_and_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_dots(write(tmp_path / "a.csv", "x,y\n3,1\n3,1\n4,4\n"), (10, 20))) == 3
    assert "1 of its 3 dots lie exactly on others" in caplog.text


@pytest.mark.parametrize("kind", ["grey", "red", "float", "volume"])
def test_pixels_that_are_not_0_are_dots(tmp_path: Path, kind: str) -> None:
    marks = np.zeros((10, 20), np.uint8)
    marks[2, 3] = marks[9, 19] = marks[0, 7] = 255
    path = tmp_path / "a.png"
    expected: list[list[int]] = [[0, 7], [2, 3], [9, 19]]
    if kind == "red":
        Image.fromarray(np.stack([marks, 0 * marks, 0 * marks], axis=-1)).save(path)
    elif kind == "grey":
        Image.fromarray(marks).save(path)
    else:
        path, stack = tmp_path / "a.tif", marks.astype(np.float32) / 255
        if kind == "volume":
            stack, expected = np.stack([0 * stack, stack]), [[1, *place] for place in expected]
        tifffile.imwrite(path, stack, photometric="minisblack")
    shape = (2, 10, 20) if kind == "volume" else (10, 20)
    assert space_of_dots(path) == shape
    np.testing.assert_array_equal(read_dots(path, shape), expected)


def test_images_that_are_no_dots(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    disc = np.zeros((10, 20), np.float32)
    disc[2:5, 2:5] = 1
    tifffile.imwrite(path, disc)
    with pytest.raises(
        InputError, match="9 of the 9 pixels that are not 0 touch another, so objects are drawn as areas"
    ):
        read_dots(path, (10, 20))
    tifffile.imwrite(path, 1 - disc)
    with pytest.raises(InputError, match="191 of 200 pixels are not 0"):
        read_dots(path, (10, 20))
    tifffile.imwrite(path, disc * np.float32("nan"))
    with pytest.raises(InputError, match="200 pixels are NaN"):
        read_dots(path, (10, 20))
    dot = np.zeros((10, 20), np.float32)
    dot[9, 3] = 1
    tifffile.imwrite(path, dot)
    with pytest.raises(InputError, match="1 of its 1 dots lie on the information bar"):
        read_dots(path, (8, 20))


def test_tables_are_listed_before_images(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a.png", ".hidden.csv"):
        (tmp_path / name).touch()
    assert list(list_dots(tmp_path)) == ["a", "b"]
    assert list(list_dots(tmp_path / "a*.csv")) == ["a"]
    assert list(list_dots(tmp_path / "a.csv")) == ["a"]
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    assert list(list_dots(tmp_path).values()) == [tmp_path / "a.png"]
    with pytest.raises(InputError, match="no such file or folder"):
        list_dots(tmp_path / "absent")
