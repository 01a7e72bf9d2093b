"""Dataset folders of the Open Graph Benchmark, written as its own are and read by pandas for comparison."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError

SOURCE = Source(Columns(edges=None), None, "graph")

NODES, EDGES = [3, 2, 4], [[0, 1], [1, 2], [0, 1], [3, 0], [2, 3]]


def write(folder: Path, tables: dict[str, Any]) -> Path:
    for name, table in tables.items():
        if table is None:
            continue
        file = folder / f"{name}.csv.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [",".join(map(str, row)) for row in np.asarray(table, dtype=object).reshape(len(table), -1)]
        file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return folder


def nodes(folder: Path, **changes: Any) -> Path:
    """A ring of nine nodes with labels, as ogbn-arxiv is laid out."""
    tables = {
        "raw/edge": [[i, (i + 1) % 9] for i in range(9)],
        "raw/node-feat": np.arange(18).reshape(9, 2) / 4,
        "raw/node-label": [0, 1, 0, 1, 0, 1, 0, 1, "nan"],
        "raw/num-node-list": [9],
        "raw/num-edge-list": [9],
        "raw/node_year": np.full(9, 2017),
        "mapping/labelidx2arxivcategeory": [0],
        **{f"split/time/{part}": np.arange(first, 9, 3) for first, part in enumerate(("train", "valid", "test"))},
    }
    return write(folder / "ogbn_ring", tables | changes)


def graphs(folder: Path, **changes: Any) -> Path:
    """Three molecules, as ogbg-molhiv is laid out: nodes of each are numbered from 0."""
    tables = {
        "raw/edge": EDGES,
        "raw/edge-feat": np.arange(10).reshape(5, 2),
        "raw/node-feat": np.arange(27).reshape(9, 3),
        "raw/graph-label": [1, 0, 1],
        "raw/num-node-list": NODES,
        "raw/num-edge-list": [2, 1, 2],
        "split/scaffold/train": [0],
        "split/scaffold/valid": [1],
        "split/scaffold/test": [2],
    }
    return write(folder / "ogbg_mol", tables | changes)


def test_nodes_of_one_graph(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read_graph(nodes(tmp_path), Columns())
    assert found.x.tolist() == [[i / 2, i / 2 + 0.25] for i in range(9)]
    assert found.edges.tolist() == [[*range(9)], [*range(1, 9), 0]]
    assert found.y is not None
    assert found.y[:8].tolist() == [0, 1] * 4
    assert np.isnan(found.y[8])
    assert {split: np.flatnonzero(mask).tolist() for split, mask in found.masks.items()} == {
        "train": [0, 3, 6], "val": [1, 4, 7], "test": [2, 5, 8],
    }  # fmt: skip
    assert "not read: node_year.csv.gz" in caplog.text


def test_graphs_are_numbered_through(tmp_path: Path) -> None:
    found = read_graphs(graphs(tmp_path), SOURCE)
    assert found.starts.tolist() == [0, 3, 5, 9]
    assert found.edges.tolist() == [[0, 1, 3, 8, 7], [1, 2, 4, 5, 8]]
    assert found.attributes is not None
    assert found.attributes.values.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert found.y is not None
    assert found.y.tolist() == [1, 0, 1]
    assert found.splits is not None
    assert found.splits.tolist() == ["train", "val", "test"]


def test_tables_need_not_be_packed(tmp_path: Path) -> None:
    folder = nodes(tmp_path)
    for file in [*folder.rglob("*.csv.gz")]:
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert read_graph(folder, Columns()).x.shape == (9, 2)


def test_one_of_several_splits_is_named(tmp_path: Path) -> None:
    folder = graphs(
        tmp_path, **{f"split/random/{part}": [place] for place, part in enumerate(("test", "train", "valid"))}
    )
    with pytest.raises(InputError, match="has the splits random, scaffold; say which by `split_column`"):
        read_graphs(folder, SOURCE)
    found = read_graphs(folder, Source(Columns(split="random", edges=None), None, "graph"))
    assert found.splits is not None
    assert found.splits.tolist() == ["test", "train", "val"]


def test_a_split_that_is_not_there_is_not_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split 'random', but scaffold; say which by `split_column`"):
        read_graphs(graphs(tmp_path), Source(Columns(split="random", edges=None), None, "graph"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"raw/edge": [*EDGES[:2], [0, 2], *EDGES[3:]]},
            r"edge\.csv\.gz, line 3: graph 1 has 2 nodes, numbered from 0",
        ),
        ({"raw/edge": [*EDGES[:4], ["x", 1]]}, r"edge\.csv\.gz, line 5: 'x' is not a finite number"),
        ({"raw/edge": [[0, 1, 2]] * 5}, r"edge\.csv\.gz: has 3 numbers in a line; an edge is two"),
        ({"raw/num-edge-list": [2, 1, 1]}, r"lists 4 edges of 3 graphs, but there are 5 of 3; is the folder complete"),
        ({"raw/num-node-list": None}, r"so it holds one graph"),
        ({"raw/num-edge-list": None}, "num-edge-list is not there"),
        ({"raw/graph-label": [1, 0]}, "y has 2 rows for 3 graphs"),
        ({"raw/graph-label": None}, "has no labels"),
        ({"raw/node-feat": [[1]] * 8}, "graph_ptr ends at 9 nodes, but x has 8 rows"),
        ({"split/scaffold/valid": None}, r"has no valid\.csv\.gz; a split is train, valid and test"),
        ({"split/scaffold/test": [3]}, "test_idx names graph 3, but there are 3"),
        ({"raw/edge": None}, r"without raw/edge\.csv\.gz; only tables are read"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_graphs(graphs(tmp_path, **changes), SOURCE)


def test_damaged_and_swollen_tables_are_refused(tmp_path: Path) -> None:
    folder = nodes(tmp_path)
    file = folder / "raw" / "node-feat.csv.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"node-feat\.csv\.gz"):
        read_graph(folder, Columns())
    file.write_bytes(gzip.compress(b"1,1\n" * (1 << 25)))
    with pytest.raises(InputError, match=r"node-feat\.csv\.gz: .*times its packed"):
        read_graph(folder, Columns())
