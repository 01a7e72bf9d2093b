from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.labels import list_classes
from multiunet.errors import InputError

COLUMNS = Columns()


def test_npz_comes_back(save: Callable[..., Path]) -> None:
    path = save(edge_weight=np.full(24, 0.5))
    arrays = np.load(path)
    graph = read_graph(path, COLUMNS)
    np.testing.assert_array_equal(graph.x, arrays["x"])
    np.testing.assert_array_equal(graph.edges, arrays["edge_index"])
    np.testing.assert_array_equal(graph.weight, np.full(24, 0.5))
    np.testing.assert_array_equal(graph.y, arrays["y"])
    np.testing.assert_array_equal(graph.masks["val"], arrays["val_mask"])
    np.testing.assert_array_equal(graph.ids, np.arange(24))


def test_heterophilous_names_and_edges_in_rows(tmp_path: Path) -> None:
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    arrays = {"node_features": np.eye(4), "node_labels": np.array([0, 1, 0, 1]), "edges": edges}
    np.savez(tmp_path / "g.npz", **arrays, train_masks=np.eye(4, dtype=bool))
    graph = read_graph(tmp_path / "g.npz", COLUMNS)
    np.testing.assert_array_equal(graph.edges, edges.T)
    assert graph.masks["train"].shape == (4, 4)


def test_pt_reads_as_npz(save: Callable[..., Path], tmp_path: Path) -> None:
    expected = read_graph(save(), COLUMNS)
    arrays = np.load(tmp_path / "g.npz")
    torch.save({name: torch.from_numpy(arrays[name]) for name in arrays.files}, tmp_path / "g.pt")
    graph = read_graph(tmp_path / "g.pt", COLUMNS)
    for name in ("x", "edges", "y", "ids"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(expected, name))
    np.testing.assert_array_equal(graph.masks["test"], expected.masks["test"])


def test_tables_come_back(tables: Callable[..., Path]) -> None:
    graph = read_graph(tables(), COLUMNS)
    assert graph.ids.tolist() == ["ann", "b-2", "c, d", "7", "é"]
    assert graph.features == ("height", "weight")
    np.testing.assert_array_equal(graph.x, [[1.5, 0], [-2, 1], [0.25, 0], [10, 1], [3, 0]])
    np.testing.assert_array_equal(graph.edges, [[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])
    assert graph.y is not None
    assert graph.y.tolist() == ["cat", "dog", "", "dog", "cat"]
    assert graph.masks["train"].tolist() == [True, True, False, False, False]
    assert graph.weight is None


def test_tables_under_other_names(tables: Callable[..., Path]) -> None:
    nodes = "\ufeffname,a,kind\nx,1,p\ny,2,q\n\n\n"
    edges = "weight,to,from\n2.5,y,x\n"
    graph = read_graph(tables(nodes, edges), Columns("name", ("kind",), "split"))
    np.testing.assert_array_equal(graph.edges, [[0], [1]])
    assert graph.weight is not None
    assert graph.weight.tolist() == [2.5]
    assert graph.masks == {}


class Evil:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_nothing_is_ever_unpickled(tmp_path: Path, save: Callable[..., Path]) -> None:
    evil, trace = Evil(tmp_path / "trace"), tmp_path / "trace"
    torch.save({"x": evil}, tmp_path / "g.pt")
    with pytest.raises(InputError, match=r"g\.pt: needs unpickling.*refused.*dict of tensors"):
        read_graph(tmp_path / "g.pt", COLUMNS)
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(evil))
    with pytest.raises(InputError, match=r"raw\.pt"):
        read_graph(tmp_path / "raw.pt", COLUMNS)
    with pytest.raises(InputError, match=r"g\.npz: y is an array of Python objects, which is never unpickled"):
        read_graph(save(y=np.array([evil, 1], dtype=object)), COLUMNS)
    (tmp_path / "p.npz").write_bytes(pickle.dumps(evil))
    with pytest.raises(InputError, match=r"p\.npz: is not a readable"):
        read_graph(tmp_path / "p.npz", COLUMNS)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"edge_index": np.array([[0, 5, 1], [1, 24, 30]])},
            r"2 edges point outside the 24 nodes 0\.\.23.*edge 1: 5 -> 24",
        ),
        ({"edge_index": np.array([[0, -1], [1, 2]])}, r"edge 1: -1 -> 2"),
        ({"edge_index": np.array([[0.0, 1.0], [1.0, 2.0]])}, r"edge_index has the type float64; nodes are numbered"),
        ({"edge_index": np.zeros((3, 5), dtype=int)}, r"edge_index has the shape \(3, 5\)"),
        ({"edge_index": None}, r"has no edge_index or edges, only.*train_mask"),
        ({"x": None}, r"has no x or node_features"),
        ({"x": np.zeros(24)}, r"x has the shape \(24,\); it must be \(nodes, features\)"),
        (
            {"x": np.where(np.eye(24) > 0, np.nan, 0.0)},
            r"24 values that are not finite, the first at node 0, column 0",
        ),
        ({"x": np.full((24, 2), "a")}, r"x has the type <U1; it must be numbers"),
        ({"y": np.zeros(23, dtype=int)}, r"y has the shape \(23,\) for 24 nodes"),
        ({"y": None}, r"has no labels; needs y"),
        ({"graph_ptr": np.array([0, 12, 24])}, r"holds many graphs \(graph_ptr\); .* `multiunet train graphs`"),
        ({"edge_weight": np.ones(3)}, r"one number for each of 24 edges"),
        ({"edge_weight": np.r_[np.ones(23), -1.0]}, r"edge_weight of edge 23 is -1\.0.*must be positive"),
    ],
)
def test_bad_archives(save: Callable[..., Path], changes: dict[str, Any], reason: str) -> None:
    path = save(**changes)
    with pytest.raises(InputError, match=rf"{path}.*{reason}"):
        read_graph(path, COLUMNS)


def test_files_that_are_no_graphs(tmp_path: Path, save: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        read_graph(tmp_path / "none.npz", COLUMNS)
    (tmp_path / "g.gexf").write_text("")
    with pytest.raises(InputError, match=r"unknown kind '\.gexf'; graphs are \.npz, \.pt, \.graphml, or a folder"):
        read_graph(tmp_path / "g.gexf", COLUMNS)
    whole = save().read_bytes()
    for size in (0, 10, len(whole) // 2):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"cut\.npz: is not a readable .npz archive.*complete"):
            read_graph(tmp_path / "cut.npz", COLUMNS)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(InputError, match=r"one\.npz: is not a readable .npz archive.*numpy\.savez"):
        read_graph(tmp_path / "one.npz", COLUMNS)
    torch.save({"x": torch.zeros(2, 2)}, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:200])
    with pytest.raises(InputError, match=r"cut\.pt"):
        read_graph(tmp_path / "cut.pt", COLUMNS)
    torch.save(torch.zeros(2), tmp_path / "t.pt")
    with pytest.raises(InputError, match=r"t\.pt: holds a Tensor, not a dict"):
        read_graph(tmp_path / "t.pt", COLUMNS)


def test_graph_without_labels_can_be_predicted(save: Callable[..., Path]) -> None:
    assert read_graph(save(y=None), COLUMNS, labelled=False).y is None


HEAD = "id,f,label\n"


@pytest.mark.parametrize(
    ("nodes", "edges", "reason"),
    [
        (None, "source,target\n", r"network: has no nodes\.csv"),
        (HEAD + "a,1,p\n", None, r"network: has no edges\.csv"),
        ("", "source,target\n", r"nodes\.csv: is empty"),
        (HEAD, "source,target\n", r"nodes\.csv: has no line below its header"),
        ("key,f,label\na,1,p\n", "source,target\n", r"no column 'id' but key, f, label; pass `id_column`"),
        (HEAD + "a,1,p\nb,2,q\na,3,p\n", "source,target\n", r"nodes\.csv, line 4: the id 'a' is that of line 2"),
        (HEAD + "a,1,p\nb,2\n", "source,target\n", r"nodes\.csv, line 3: has 2 cells, but the header has 3"),
        (
            HEAD + "a,1,p\nb,red,q\n",
            "source,target\n",
            r"nodes\.csv, line 3: feature 'f' is 'red', not a finite number",
        ),
        (HEAD + "a,1,p\nb,,q\n", "source,target\n", r"nodes\.csv, line 3: feature 'f' is missing"),
        ("id;f;label\na;1;p\n", "source,target\n", r"nodes\.csv: its columns are separated by semicolons; save it"),
        (HEAD + "a,1,p\n", "source\ttarget\n", r"edges\.csv: its columns are separated by tabs"),
        (HEAD + "a,1,p\nb,nan,q\n", "source,target\n", r"nodes\.csv, line 3: feature 'f' is 'nan', not a finite"),
        ("id,f,f\na,1,p\n", "source,target\n", r"two columns have the same name"),
        ("id,f\na,1\n", "source,target\n", r"has no labels; needs column 'label' in nodes\.csv"),
        ("id,label\na,p\n", "source,target\n", r"nodes\.csv: nodes have no features; give them numbers"),
        (HEAD + "a,1,p\n,2,q\nc,3,p\n", "source,target\n", r"nodes\.csv, line 3: has no id"),
        (
            "id,f,label,split\na,1,p,trian\n",
            "source,target\n",
            r"line 2: split is 'trian'; it must be train, val, test",
        ),
        (
            HEAD + "a,1,p\n",
            "source,target\na,z\n",
            r"edges\.csv, line 2: target 'z' is none of the 1 ids of nodes\.csv",
        ),
        (HEAD + "a,1,p\n", "source\na\n", r"edges\.csv: has 1 column"),
        (HEAD + "a,1,p\n", "source,target,weight\na,a,0\n", r"edges\.csv, line 2: the weight is '0'"),
    ],
)
def test_bad_tables(tables: Callable[..., Path], nodes: str | None, edges: str | None, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_graph(tables(nodes, edges), COLUMNS)


GRAPHML = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="h" for="node" attr.name="height" attr.type="double"/>
<key id="l" for="node" attr.name="label" attr.type="string"/>
<key id="s" for="node" attr.name="split" attr.type="string"/>
<key id="w" for="edge" attr.name="weight" attr.type="double"/>
<graph edgedefault="undirected">
<node id="ann"><data key="h">1.5</data><data key="l">cat</data><data key="s">train</data></node>
<node id="b-2"><data key="h">-2</data><data key="l">dog</data><data key="s">val</data></node>
<node id="c"><data key="h">0</data></node>
<edge source="ann" target="b-2"><data key="w">2</data></edge>
<edge source="c" target="b-2"><data key="w">0.5</data></edge>
</graph></graphml>"""


def graphml(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in GRAPHML
    (tmp_path / "g.graphml").write_text(GRAPHML.replace(old, new) if old else GRAPHML, encoding="utf-8")
    return tmp_path / "g.graphml"


def test_graphml_comes_back(tmp_path: Path) -> None:
    graph = read_graph(graphml(tmp_path), Columns())
    assert graph.ids.tolist() == ["ann", "b-2", "c"]
    assert graph.features == ("height",)
    assert graph.x.tolist() == [[1.5], [-2], [0]]
    assert graph.y.tolist() == ["cat", "dog", ""]
    assert {split: mask.tolist() for split, mask in graph.masks.items()} == {
        "train": [True, False, False],
        "val": [False, True, False],
    }
    weights = {tuple(ends): float(w) for ends, w in zip(graph.edges.T.tolist(), graph.weight)}
    assert weights == {(0, 1): 2, (1, 0): 2, (2, 1): 0.5, (1, 2): 0.5}
    directed = read_graph(graphml(tmp_path, '"undirected"', '"directed"'), Columns())
    assert directed.edges.tolist() == [[0, 2], [1, 1]]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</graph>", "", "damaged, cut short or of another format"),
        ('<data key="h">0</data>', "", "node c: feature 'height' is missing"),
        (">val<", ">later<", "node b-2: split is 'later'"),
        (">0.5<", ">-1<", "edge c -> b-2: the weight is '-1'; weights must be positive"),
        ('<data key="w">2</data>', "", "edge ann -> b-2: the weight is missing"),
        (
            'attr.name="label"',
            'attr.name="kind"',
            "has no labels; needs the attribute 'label' of nodes; another is named by `label_column`",
        ),
    ],
)
def test_bad_graphml(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_graph(graphml(tmp_path, old, new), Columns())


def test_fractions_in_a_table_are_quantities(tables: Callable[..., Path]) -> None:
    nodes = "id,x,label\na,1,0.5\nb,2,1\nc,3,\n7,4,2\né,5,3"
    graph = read_graph(tables(nodes=nodes, edges="source,target\na,b"), Columns())
    np.testing.assert_array_equal(graph.y, [0.5, 1, np.nan, 2, 3])
    with pytest.raises(InputError, match=r"y holds 0\.5, which is no class; for quantities pass `task=regression`"):
        list_classes(graph.path, graph.y)


def test_endings_may_be_capitals(save: Callable[..., Path], tmp_path: Path) -> None:
    save().rename(tmp_path / "g.NPZ")
    assert len(read_graph(tmp_path / "g.NPZ", COLUMNS).ids) == 24
    graphml(tmp_path).rename(tmp_path / "g.GraphML")
    assert len(read_graph(tmp_path / "g.GraphML", COLUMNS).ids) == 3


def test_blanks_and_forms_of_letters_make_no_other_label(save: Callable[..., Path]) -> None:
    y = np.array(["caf\u00e9", " caf\u00e9", "cafe\u0301", " tea "] * 6)
    assert list_classes(Path("g"), read_graph(save(y=y), COLUMNS).y) == ["caf\u00e9", "tea"]
