from __future__ import annotations

from pathlib import Path

import pytest

from multiunet.domains.image.generation.columns import match_column, name_labels, number_words, read_column
from multiunet.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_a_column_is_read_by_the_images_names(tmp_path: Path) -> None:
    path = write(tmp_path, 'image,caption\na.png,"two, apart"\nb.ome.tif,one\n')
    assert read_column(path, "caption") == {"a": "two, apart", "b": "one"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,klass\na,1\n", "one column 'label'"),
        ("image,label\na\n", "line 2: has 1 cells"),
        ("image,label\na,1,2\n", "quotes"),
        ("image,label\na,\n", "line 2: a has no label"),
        ("image,label\na,1\na.png,2\n", "line 3: a has two labels"),
        ("image,label\n", "names no image"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_column(write(tmp_path, text), "label")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file; give a CSV with the columns image and label"):
        read_column(tmp_path / "none.csv", "label")


def test_images_without_a_line_and_lines_without_an_image_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "image,label\na,1\nb,2\n")
    assert match_column(path, "label", {"/x/a.png": "a", "/x/b.png": "b"}) == {"/x/a.png": "1", "/x/b.png": "2"}
    with pytest.raises(InputError, match="no label for 1 image: c"):
        match_column(path, "label", {"/x/a.png": "a", "/x/b.png": "b", "/x/c.png": "c"})
    with pytest.raises(InputError, match="1 line about images that are not there: b"):
        match_column(path, "label", {"/x/a.png": "a"})


def test_numbers_are_sorted_as_numbers() -> None:
    assert name_labels(["10", "9", "9"]) == ("9", "10")
    assert name_labels(["ring", "10"]) == ("10", "ring")


def test_words_are_numbered_from_one() -> None:
    assert number_words("A ring!", ["a", "disc", "ring"], "x") == (1, 3)
    with pytest.raises(InputError, match="the word square; it may use a, disc"):
        number_words("a square", ["a", "disc"], "x")
    with pytest.raises(InputError, match="no words"):
        number_words("...", ["a"], "x")
