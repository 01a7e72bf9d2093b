"""Rows of tables: their lines as an editor counts them, whatever is in their cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multiunet.domains.image.files.object_classes import open_object_classes
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.files.table import read_pairs
from multiunet.domains.image.generation.columns import read_column
from multiunet.domains.rows import read_rows
from multiunet.errors import InputError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_an_editor_counts_them(end: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = ["\ufeff", "a,b", ",", 'one, "two', 'and, three"', "", "\u2028,four"]
    path.write_bytes(end.join(lines).encode())
    rows = read_rows(path)
    assert rows == [(2, ["a", "b"]), (4, ["one", f"two{end}and, three"]), (7, ["", "four"])]


def test_the_commonest_sign_of_the_first_line_parts_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text in ("x;y;a,b\n1;2;3\n", "x\ty\ta,b\n1\t2\t3\n"):
        path.write_text(text)
        assert read_rows(path, ",;\t") == [(1, ["x", "y", "a,b"]), (2, ["1", "2", "3"])]
    path.write_text("")
    assert read_rows(path) == []


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_pairs, "\nimage,mask\n\na.png,a.png\na.png\n"),
        (lambda path: read_column(path, "caption"), '\nimage,caption\na.png,"x\ny"\na.png\n'),
        (
            lambda path: open_object_classes(path, [Item("a", "a.png", "a.tif")]),
            '\nimage,object,class\na.png,1,"x\ny"\na.png\n',
        ),
    ],
)
def test_tables_of_images_name_the_wrong_line(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    (tmp_path / "a.png").touch()
    path.write_text(text)
    with pytest.raises(InputError, match=r"t.csv, line 5: has 1 cells, but the header has"):
        read(path)
