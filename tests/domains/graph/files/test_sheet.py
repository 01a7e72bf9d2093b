"""CSV files against Python's own reader of lines, and what tables are refused for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.graph.files import blocks
from multiunet.domains.graph.files.cells import MISSING, Words, finite
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sheet import Sheet, find_name
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.labels import read_quantities
from multiunet.errors import InputError


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Sheet]:
    def write(text: str, encoding: str = "utf-8") -> Sheet:
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        return Sheet(tmp_path / "t.csv")

    return write


def test_cells_are_those_of_a_line_reader(sheet: Callable[..., Sheet]) -> None:
    """Numbers to the last bit, text to the last letter, whatever pandas makes of a column."""
    rng = np.random.default_rng(0)
    odd = [
        "1",
        "01",
        "+1",
        " 2 ",
        "1.",
        ".5",
        "-0",
        "1e5",
        "1E-3",
        "True",
        "false",
        "x",
        "a b",
        'q"',
        "",
        "NA",
        "nan",
        "c,d",
    ]
    columns = {
        "number": [f"{value:.{digits}g}" for value, digits in zip(rng.normal(size=99), rng.integers(1, 18, 99))],
        "count": [str(value) for value in rng.integers(-(2**60), 2**60, 99)],
        "padded": [f" {value} " for value in rng.integers(0, 9, 99)],
        "truth": [("True", "False")[value] for value in rng.integers(0, 2, 99)],
        "word": [odd[value] for value in rng.integers(0, len(odd), 99)],
        "mixed": [(*"1234567", "x")[value] for value in rng.integers(0, 8, 99)],
        "huge": ["1e39", *["1"] * 98],
        "text": [f"0{value}" for value in range(99)],
    }
    lines = [",".join(columns)]
    for row in zip(*columns.values()):
        lines.append(",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"') else cell for cell in row))
    read = sheet("\n".join(lines) + "\n")
    table = read.table(["text"])
    with open(read.path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    for place, name in enumerate(columns):
        cells, column = [row[place].strip() for row in rows], table.columns[name]
        if isinstance(column, Words):
            assert column.cells().tolist() == cells
        else:
            assert column.tolist() == [float(cell) for cell in cells]
    assert {name for name, column in table.columns.items() if isinstance(column, Words)} == {
        "truth", "word", "mixed", "huge", "text",
    }  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_marks_of_utf8(sheet: Callable[..., Sheet], ends: str, encoding: str) -> None:
    table = sheet(f"id,b{ends}x,1{ends}{ends}y,2{ends}  {ends},{ends}z,3{ends}{ends}", encoding).table(["id"])
    assert table.words("id").cells().tolist() == ["x", "y", "z"]
    assert table.texts("b").tolist() == ["1", "2", "3"]
    assert [table.place(row) for row in range(3)] == ["line 2", "line 4", "line 7"]


def test_a_cell_may_span_lines(sheet: Callable[..., Sheet]) -> None:
    table = sheet('a,b\n"x\ny",1\nz,\n').table()
    assert table.words("a").cells().tolist() == ["x\ny", "z"]
    assert [table.place(row) for row in range(2)] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3: has 3 cells, but the header has 2"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: has 3 cells"),
        ("a,b\n1,2\n\n3\n", "line 4: has 1 cells"),
        ("a,b,c\n1,2,3\n4,5\n6,7,8,9\n", "line 3: has 2 cells"),
        ('a,b\n1,"2\n3,4\n', r"damaged, cut short.*end of data"),
        ("a,b\n1,\0\n", "holds zero bytes"),
        ("a,a\n1,2\n", "two columns have the same name"),
        ("\n\n", "is empty; its first line must name the columns"),
    ],
)
def test_bad_sheets(sheet: Callable[..., Sheet], text: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv.*{reason}"):
        sheet(text).table()


def test_other_encodings(sheet: Callable[..., Sheet]) -> None:
    for encoding in ("latin-1", "utf-16"):
        with pytest.raises(InputError, match=r"t\.csv: not text in UTF-8.*save it as UTF-8"):
            sheet("id,name\n1,\u00e9\n", encoding)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1), ("-1.5e3", -1500), (".5", 0.5), ("5.", 5), ("1_0", None), ("\u0661", None), ("inf", None), ("0x1", None),
     ("1e39", None), ("1,5", None), (" 1", None), ("", None)],
)  # fmt: skip
def test_what_is_a_number(cell: str, number: float | None) -> None:
    assert finite(cell) == number


@pytest.mark.parametrize("cell", ["1_0", "\u0661", "inf", "nan", "1e39"])
def test_what_resembles_a_number_is_neither_number_nor_word(tables: Callable[..., Path], cell: str) -> None:
    for other in ("2", cell):
        folder = tables(f"id,f,label\na,{other},p\nb,{cell},q\n", "source,target\na,b\n")
        with pytest.raises(InputError, match=r"nodes\.csv, line [23]: feature 'f' is .*, not a finite number"):
            read_graph(folder, Columns())
    folder = tables("id,f,label\na,1,p\nb,2,q\n", f"source,target,weight,k\na,b,1,2\nb,a,{cell},3\n")
    with pytest.raises(InputError, match=r"edges\.csv, line 3: the weight is .*; weights must be positive"):
        read_graph(folder, Columns())


def test_numbers_with_a_decimal_comma_are_not_words(tables: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"nodes\.csv: f has numbers with a decimal comma, such as 0,5"):
        read_graph(tables('id,f,label\na,"0,5",p\nb,"1,5",q\n', "source,target\na,b\n"), Columns())


def test_words_for_nothing_mean_the_same_in_features_and_labels(tables: Callable[..., Path]) -> None:
    rows = "".join(f"n{row},{row},{word},{word}\n" for row, word in enumerate([*MISSING, "red", "blue"]))
    graph = read_graph(tables(f"id,f,colour,label\n{rows}", "source,target\nn0,n1\n"), Columns())
    assert graph.features == ("f", "colour=blue", "colour=red")
    assert graph.x[:, 1:].sum() == 2


def test_names_in_other_capitals_are_found_and_said(
    tables: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """As Gephi writes its tables; an edge that is undirected there leads both ways."""
    folder = tables(
        "Id,Label,height\n1,cat,1\n2,dog,2\n",
        "Source,Target,Type,Weight\n1,2,Undirected,2\n2,2,Undirected,1\n2,1,Directed,3\n",
    )
    graph = read_graph(folder, Columns(edges=None))
    assert graph.ids.tolist() == ["1", "2"]
    assert graph.y is not None
    assert graph.weight is not None
    assert graph.y.tolist() == ["cat", "dog"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 1], [1, 0], [1, 0]]
    assert graph.weight.tolist() == [2, 1, 3, 2]
    assert graph.attributes is None
    assert "nodes.csv: the column 'Id' is read as 'id'" in caplog.text
    assert "nodes.csv: the column 'Label' is read as 'label'" in caplog.text
    assert find_name(folder, ["ID", "Id"], "id") is None


def test_censored_values_are_named_with_their_line(tables: Callable[..., Path], tmp_path: Path) -> None:
    folder = tables("id,f,label\na,1,0.5\n\nb,2,<5\n", "source,target\na,b\n")
    graph = read_graph(folder, Columns())
    assert graph.y is not None
    with pytest.raises(InputError) as caught:
        read_quantities(graph.path, graph.y, place=graph.place)
    assert str(caught.value).startswith(f"{folder}, nodes.csv, line 4: the label is '<5', not a number; for `task=reg")


def test_ids_that_are_numbers_stay_text(tables: Callable[..., Path]) -> None:
    graph = read_graph(tables("id,f,label\n01,1,p\n1,2,q\n1.0,3,p\n", "source,target\n01,1\n1.0,01\n"), Columns())
    assert graph.ids.tolist() == ["01", "1", "1.0"]
    assert graph.edges.tolist() == [[0, 2], [1, 0]]


def test_names_that_look_alike_are_one(tables: Callable[..., Path]) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    graph = read_graph(
        tables(f"id,f,label\n{composed},1,{composed}\nb,2,{decomposed}\n", f"source,target\n{decomposed},b\n"),
        Columns(),
    )
    assert graph.edges.tolist() == [[0], [1]]
    assert graph.y is not None
    assert set(graph.y.tolist()) == {composed}


def test_blocks_give_what_the_whole_gives(sheet: Callable[..., Sheet], monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that are numbers in one block and words in another, truth values, and numbers of both kinds."""
    rows = [
        f"{i % 7},{i if i < 20 else i / 4},{'x' if i == 30 else i},{i % 2 == 0},{'' if i % 3 else 'b '}"
        for i in range(41)
    ]
    text = "few,some,late,truth,last\n" + "\n".join(rows) + "\n"
    whole = sheet(text).table(["few"])
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(blocks, "ROWS", 8)
    monkeypatch.setattr(blocks, "PIECE", 5)
    parts = sheet(text).table(["few"])
    for name, column in whole.columns.items():
        other = parts.columns[name]
        assert type(other) is type(column)
        if isinstance(column, Words) and isinstance(other, Words):
            assert other.cells().tolist() == column.cells().tolist()
        else:
            assert np.array_equal(column, other)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", [*range(2, 12), 40])
def test_a_line_of_other_length_is_named_wherever_blocks_begin(
    sheet: Callable[..., Sheet], monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(blocks, "ROWS", 4)
    for wrong in ("1,2,3", "1"):
        lines = ["a,b", *["1,2"] * 40]
        lines[line - 1] = wrong
        with pytest.raises(InputError, match=f"line {line}: has {wrong.count(',') + 1} cells"):
            sheet("\n".join(lines)).table(["a", "b"])


@pytest.mark.parametrize(
    ("text", "even"),
    [
        ("a,b\n1,2\n", True),
        ("a,b\n1,2", True),
        ("a,b\n1\n2,3,4\n", False),
        ("a,b\n\n1,2\n", False),
        ('a,b\n"1,2",3\n', False),
    ],
)
def test_even_lines_are_known_by_their_commas(text: str, even: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in (1, 3, 1 << 20):
        monkeypatch.setattr(blocks, "PIECE", piece)
        assert blocks.has_even_lines(text.encode(), 2) is even
