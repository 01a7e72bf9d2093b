"""Text files of the TU collection: what is not an integer, a number or complete is refused with file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError

TOY = {
    "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n4, 5\n5, 4\n",
    "graph_indicator": "1\n1\n1\n2\n2\n",
    "graph_labels": "1\n2\n",
    "graph_attributes": "0.5\nnan\n",
    "node_labels": "0\n0\n3\n3\n0\n",
    "node_attributes": "0.1, 1\n0.2, 2\n0.3, 3\n0.4, 4\n0.5, 5\n",
    "edge_labels": "1\n1\n2\n2\n1\n1\n2\n2\n",
    "edge_attributes": "0.5\n0.5\n1\n1\n2\n2\n3\n3\n",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: str | None) -> Path:
        for kind, text in (TOY | changes).items():
            (tmp_path / f"TOY_{kind}.txt").unlink(missing_ok=True)
            if text is not None:
                (tmp_path / f"TOY_{kind}.txt").write_text(text)
        return tmp_path

    return write


def read(folder: Path, quantities: bool = False) -> GraphSet:
    return read_graphs(folder, Source(Columns(), None, "graph", quantities))


def test_labels_and_attributes_of_edges_are_both_read(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    attributes = read(write()).attributes
    assert attributes is not None
    assert attributes.values[:3].tolist() == [[1, 0, 0.5], [1, 0, 0.5], [0, 1, 1]]
    assert "not read: TOY_graph_attributes.txt" in caplog.text


def test_several_labels_of_a_node_or_edge(write: Callable[..., Path]) -> None:
    found = read(
        write(
            node_labels="0, 1\n0, 2\n3, 1\n3, 1\n0, 1\n", edge_labels="1, 5\n1, 5\n2, 6\n2, 6\n1, 7\n1, 7\n2, 5\n2, 5\n"
        )
    )
    assert found.tags is not None
    assert found.tags.tolist() == ["0 1", "0 2", "3 1", "3 1", "0 1"]
    assert found.attributes is not None
    assert found.attributes.values[0].tolist() == [1, 0, 1, 0, 0, 0.5]
    with pytest.raises(InputError, match=r"TOY_graph_labels\.txt: has 2 numbers in a line; keep one"):
        read(write(graph_labels="1, 2\n2, 1\n"))


def test_quantities_may_be_missing(write: Callable[..., Path]) -> None:
    y = read(write(), quantities=True).y
    assert y is not None
    assert str(y.tolist()) == "[0.5, nan]"


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("A", TOY["A"].replace("3, 2", "3, 1.7"), r"A\.txt, line 4: 1\.7 stands where integers from 1 belong"),
        ("A", TOY["A"].replace("3, 2", "0, 2"), r"A\.txt, line 4: 0 stands where integers from 1 belong"),
        ("A", TOY["A"].replace("3, 2", "3, nan"), r"A\.txt, line 4: 'nan' is not a finite number"),
        ("A", TOY["A"].replace("3, 2", "3"), r"A\.txt, line 4: has 1 numbers, but lines before 2"),
        ("A", TOY["A"].replace("3, 2", "3, 2, 1"), r"A\.txt, line 4: has 3 numbers, but lines before 2"),
        ("A", "\n1, 2\n\n2, 1_0\n", r"A\.txt, line 4: '1_0' is not a finite number"),
        ("A", "", r"A\.txt: is empty"),
        ("graph_indicator", "1\n1\n1.5\n2\n2\n", r"graph_indicator\.txt, line 3: 1\.5 stands where integers belong"),
        ("graph_indicator", "0\n0\n0\n1\n1\n", r"graph_indicator\.txt, line 1: 0 stands where integers from 1 belong"),
        ("graph_labels", "1\n1.5\n", r"graph_labels\.txt, line 2: 1\.5 stands where integers belong"),
        ("graph_labels", "1\nnan\n", r"graph_labels\.txt, line 2: 'nan' is not a finite number"),
        (
            "graph_labels",
            "1\n",
            r"graph_labels\.txt: has 1 lines, but TOY_graph_indicator\.txt numbers 2 graphs; is it",
        ),
        (
            "node_labels",
            "0\n0\n3\n3\n",
            r"node_labels\.txt: has 4 lines, but TOY_graph_indicator\.txt has 5 lines; is it",
        ),
        ("node_labels", "0\n0\n3\n3\n\u0661\n", r"node_labels\.txt, line 5: '.' is not a finite number"),
        (
            "node_attributes",
            TOY["node_attributes"].replace("0.3", "inf"),
            r"node_attributes\.txt, line 3: 'inf' is not",
        ),
        ("edge_labels", "1\n1\n2\n", r"edge_labels\.txt: has 3 lines, but TOY_A\.txt has 8 lines; is it complete"),
        (
            "edge_labels",
            TOY["edge_labels"].replace("2", "2.5"),
            r"edge_labels\.txt, line 3: 2\.5 stands where integers",
        ),
        (
            "edge_attributes",
            TOY["edge_attributes"].replace("3", "x"),
            r"edge_attributes\.txt, line 7: 'x' is not a finite",
        ),
    ],
)
def test_damaged_files(write: Callable[..., Path], kind: str, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"TOY_{reason}"):
        read(write(**{kind: text}))


def test_line_ends_do_not_matter(write: Callable[..., Path]) -> None:
    expected = read(write())
    found = read(write(**{kind: text.replace("\n", "\r\n") for kind, text in TOY.items()}))
    assert found.edges.tolist() == expected.edges.tolist()
    assert found.y is not None
    assert expected.y is not None
    assert found.y.tolist() == expected.y.tolist()
