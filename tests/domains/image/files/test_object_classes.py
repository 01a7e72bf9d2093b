"""Classes of objects in masks and tables, good and bad."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.files.object_classes import open_object_classes
from multiunet.domains.image.files.pairing import Item
from multiunet.errors import InputError

OBJECTS = np.repeat([0, 1, 2, 3], 10).reshape(4, 10).astype(np.int32)
NUMBERS = np.array([4, 7, 50])


def items(folder: Path, *names: str) -> list[Item]:
    return [Item(name, str(folder / f"{name}.png"), str(folder / f"{name}_mask.tif")) for name in names]


def read(path: Path, folder: Path, name: str = "a") -> list[str | None]:
    [item] = items(folder, name)
    files = open_object_classes(path, [item])
    found = files.read(item, OBJECTS, lambda: NUMBERS)
    files.say()
    return found


def paint(folder: Path, classes: np.ndarray, name: str = "a") -> Path:
    (folder / "kinds").mkdir(exist_ok=True)
    Image.fromarray(classes.astype(np.uint8)).save(folder / "kinds" / f"{name}.png")
    return folder / "kinds"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "kinds.csv"
    path.write_text("\n".join(["image,object,class", *lines]))
    return path


def test_masks_give_the_class_of_most_pixels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    classes = np.array([0, 5, 9, 0])[OBJECTS]
    classes[1, :2] = 9  # a fifth of the first object
    assert read(paint(tmp_path, classes), tmp_path) == ["5", "9", None]
    assert "1 object with pixels of several classes, such as object 4" in caplog.text


@pytest.mark.parametrize("image", ["a", "a.png", "images/a.png"])
def test_tables_name_images_and_the_numbers_of_their_masks(tmp_path: Path, image: str) -> None:
    path = write(tmp_path, f"{image},50,long", f"{image},4,round", f"{image},7,", "other,1,long")
    assert read(path, tmp_path) == ["round", None, "long"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["a,4,round", "a,4,long"], "line 3: object 4 of a is of class 'long', but line 2 says 'round'"),
        (["a,5,round"], r"line 2: .*a_mask.tif has no object 5; its objects are 4, 7, 50"),
        (["a,first,round"], "line 2: object 'first' is not the number of an object"),
        (["a,1_0,round"], "line 2: object '1_0' is not the number of an object"),
        (["a,4"], "line 2: has 2 cells, but the header has 3"),
        (["b,4,round"], r"says the classes of none of the images \(a\)"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(write(tmp_path, *lines), tmp_path)


def test_a_table_without_its_columns_says_which(tmp_path: Path) -> None:
    path = tmp_path / "kinds.csv"
    path.write_text("image,label,class\na,4,round\n")
    with pytest.raises(InputError, match=r"has no column 'object', or has it twice; .*: image,object,class"):
        read(path, tmp_path)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (np.arange(40).reshape(4, 10) % 2 + 1, "3 in all, most of them; are these the classes of these objects"),
        (np.ones((4, 11)), "is 4 x 11, but the mask of its objects is 4 x 10"),
        (np.ones((3, 10)), "is 3 x 10, but the mask"),
    ],
)
def test_masks_that_are_none_of_classes_are_named(tmp_path: Path, classes: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(paint(tmp_path, classes), tmp_path)


def test_rows_of_an_information_bar_are_cut_off(tmp_path: Path) -> None:
    classes = np.pad(np.array([0, 1, 2, 2])[OBJECTS], ((0, 3), (0, 0)))
    assert read(paint(tmp_path, classes), tmp_path) == ["1", "2", "2"]


def test_images_without_files_and_of_one_name_are_refused(tmp_path: Path) -> None:
    path = paint(tmp_path, np.ones((4, 10)))
    with pytest.raises(InputError, match="no mask of classes for 1 of the 2 images: b"):
        open_object_classes(path, items(tmp_path, "a", "b"))
    with pytest.raises(InputError, match="two images that are both called a"):
        open_object_classes(path, items(tmp_path, "a", "a"))


def test_many_images_are_opened_in_no_time(tmp_path: Path) -> None:
    """Each name compared with each other would take minutes."""
    names = [f"cell-{number:06d}" for number in range(20_000)]
    path = write(tmp_path, *(f"{name},1,round" for name in names))
    began = time.process_time()
    open_object_classes(path, items(tmp_path, *names))
    assert time.process_time() - began < 5
