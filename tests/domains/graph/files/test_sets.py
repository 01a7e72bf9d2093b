from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from multiunet_datasets.synthetic import trees_and_meshes

from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError


def read(path: Path, level: str = "graph", labelled: bool = True, **columns: Any) -> GraphSet:
    return read_graphs(path, Source(Columns(**columns), None, level), labelled)


def test_npz_comes_back(save_set: Callable[..., Path]) -> None:
    given, found = trees_and_meshes(40), read(save_set())
    assert len(found) == 40
    assert found.ids == tuple(map(str, range(40)))
    np.testing.assert_array_equal(found.tags, given["node_tag"])
    np.testing.assert_array_equal(found.starts, given["graph_ptr"])
    np.testing.assert_array_equal(found.y, given["y"])
    assert found.x is None
    rows = {tuple(map(float, (*ends, a))) for ends, a in zip(given["edge_index"].T, given["edge_attr"][:, 0])}
    assert rows == {tuple(map(float, (*ends, a))) for ends, a in zip(found.edges.T, found.attributes.values[:, 0])}
    assert (np.diff(np.searchsorted(found.starts, found.edges[0], side="right")) >= 0).all()


def test_a_batch_vector_is_as_good_as_a_pointer(save_set: Callable[..., Path]) -> None:
    sizes = np.diff(trees_and_meshes(40)["graph_ptr"])
    found = read(save_set(graph_ptr=None, batch=np.repeat(np.arange(40), sizes)))
    np.testing.assert_array_equal(np.diff(found.starts), sizes)
    two = {"node_tag": np.zeros(2, int), "edge_index": np.zeros((2, 0), int), "edge_attr": None}
    found = read(save_set(graph_ptr=None, batch=np.array([0, 2]), y=np.array([0, 1, 0, 1]), **two))
    assert np.diff(found.starts).tolist() == [1, 0, 1, 0]


def test_tensors_and_ids_and_splits(tmp_path: Path) -> None:
    arrays = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in trees_and_meshes(4).items()}
    masks = {"train_mask": torch.tensor([1, 1, 0, 0]), "val_mask": torch.tensor([0, 0, 1, 0])}
    torch.save(arrays | masks | {"ids": torch.tensor([7, 5, 9, 3])}, tmp_path / "g.pt")
    found = read(tmp_path / "g.pt")
    assert found.ids == ("7", "5", "9", "3")
    assert found.splits.tolist() == ["train", "train", "val", ""]


def test_graphs_without_nodes_are_allowed(save_set: Callable[..., Path]) -> None:
    found = read(
        save_set(
            node_tag=np.array([1, 2]),
            graph_ptr=np.array([0, 0, 2, 2]),
            edge_index=np.array([[0], [1]]),
            edge_attr=None,
            y=np.array([0, 1, 0]),
        )
    )
    assert np.diff(found.starts).tolist() == [0, 2, 0]


def outside(edges: Any) -> Any:
    return np.where(edges == 3, 9999, edges)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"graph_ptr": None}, "has no graph_ptr .* one graph is trained by `multiunet train graph`"),
        ({"graph_ptr": np.array([0])}, "has no graph: graph_ptr has 1 numbers"),
        ({"graph_ptr": np.array([0, 5, 3, 400])}, "graph_ptr must begin with 0 and never fall"),
        ({"graph_ptr": np.array([0.0, 5.0])}, "must be graphs \\+ 1 integers"),
        ({"graph_ptr": np.array([0, 7])}, "graph_ptr ends at 7 nodes, but node_tag has"),
        ({"edge_index": None}, "has no edge_index or edges, only"),
        ({"edge_index": outside(trees_and_meshes(40)["edge_index"])}, "edges point outside"),
        ({"edge_index": np.array([[0], [30]]), "edge_attr": None}, r"1 edges lead from one graph to another.*0 -> 30"),
        ({"edge_attr": np.zeros((3, 2))}, r"edge_attr has the shape \(3, 2\)"),
        ({"edge_attr": trees_and_meshes(40)["edge_attr"] * np.nan}, "edge_attr has .* values that are not finite"),
        ({"node_tag": np.zeros(3, int)}, "but node_tag has 3 rows"),
        ({"node_tag": trees_and_meshes(40)["node_tag"] / 2}, "must be an integer or a word"),
        ({"y": None}, "has no labels; save them as y, one a graph"),
        ({"y": np.arange(39) % 2}, "y has 39 rows for 40 graphs"),
        ({"ids": np.array(["a"] * 40)}, "1 ids are there more than once: a"),
        ({"train_mask": np.ones(40, bool), "val_mask": np.ones(40, bool)}, "40 graphs are both train and val"),
        ({"split": np.array(["train"] * 39 + ["late"])}, "split of graph 39 is 'late'"),
        ({"graph_ptr": None, "batch": np.array([1, 0])}, "batch must ascend"),
    ],
)
def test_bad_arrays_are_named(save_set: Callable[..., Path], changes: dict[str, Any], reason: str) -> None:
    path = save_set(**changes)
    with pytest.raises(InputError, match=f"{path}: .*{reason}"):
        read(path)


@pytest.mark.parametrize("name", ["x", "node_tag", "graph_ptr", "y"])
def test_objects_are_never_unpickled(save_set: Callable[..., Path], name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is an array of Python objects"):
        read(save_set(**{name: np.array([{}], dtype=object)}))


def test_features_that_are_not_finite(save_set: Callable[..., Path]) -> None:
    x = np.zeros((len(trees_and_meshes(40)["node_tag"]), 2))
    x[5, 1] = np.inf
    with pytest.raises(InputError, match="x has 1 values that are not finite, the first at node 5, column 1"):
        read(save_set(x=x))


def test_a_folder_of_graphs_of_any_kind(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "notes.txt").write_text("hello")
    with caplog.at_level(logging.WARNING):
        found = read(folder)
    assert "not read: notes.txt" in caplog.text
    assert found.ids == ("one", "three", "two")
    assert found.y.tolist() == ["a", "a", "b"]
    assert np.diff(found.starts).tolist() == [4, 2, 5]
    assert found.features == ("height",)
    assert found.x[:, 0].tolist() == [0, 0.5, 1, 1.5, 1, 3, 0, 0.5, 1, 1.5, 2]
    assert found.tags.tolist() == ["head", *["tail"] * 3, "head", "tail", "head", *["tail"] * 4]
    assert found.edges.T.tolist()[:3] == [[0, 1], [1, 2], [2, 3]]
    assert found.edges.T.tolist()[3:5] == [[4, 5], [5, 4]]


def test_a_folder_of_arrays_with_labels_of_their_own(tmp_path: Path) -> None:
    for name, nodes, y in (("a", 2, 1.5), ("b", 3, 2.5)):
        edges = np.array([[0], [1]])
        np.savez(tmp_path / f"{name}.npz", edge_index=edges, x=np.ones((nodes, 2)), y=np.array([y]))
    found = read(tmp_path)
    assert (found.ids, found.y.tolist(), found.starts.tolist()) == (("a", "b"), [1.5, 2.5], [0, 2, 5])
    assert found.edges.tolist() == [[0, 2], [1, 3]]
    nodes = read_graphs(tmp_path, Source(Columns(), None, "graph"), labelled=False)
    assert nodes.y is None


def write_arrays(path: Path, **changes: Any) -> None:
    arrays = {"edge_index": np.array([[0], [1]]), "x": np.ones((2, 2)), "y": np.array([0])} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x": np.ones((2, 3))}, r"b\.npz: has 3 features, but .*a\.npz has 2"),
        ({"x": None}, r"b\.npz: has no x, but .*a\.npz has"),
        ({"edge_attr": np.ones((1, 2))}, r"b\.npz: edges have 2 attributes, but in .*a\.npz none"),
        ({"y": None}, "no labels in 1 of its graphs: b"),
        ({"edge_index": np.zeros((2, 0), int), "x": np.ones((2, 2)), "y": None}, "no labels in 1 of its graphs: b"),
        ({"y": np.array([0, 1])}, r"b\.npz: y has 2 values; a graph has one label"),
    ],
)
def test_graphs_of_a_folder_must_be_alike(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    write_arrays(tmp_path / "a.npz")
    write_arrays(tmp_path / "b.npz", **changes)
    with pytest.raises(InputError, match=reason):
        read(tmp_path)


@pytest.mark.parametrize(
    ("labels", "columns", "reason"),
    [
        ("id,label\none,a\ntwo,b\n", {}, "has no line for 1 graph of the folder: three"),
        ("id,label\none,a\ntwo,b\nthree,a\nfour,b\n", {}, "1 of its ids are no graphs of the folder: four"),
        ("id,label\none,a\none,b\ntwo,b\nthree,a\n", {}, "1 ids are there more than once: one"),
        ("id,kind\none,a\n", {}, "has no column 'label' but id, kind; pass `label_column`"),
        ("name,label\none,a\n", {}, "has no column 'id' but name, label; pass `id_column`"),
        ("id,label,split\none,a,x\ntwo,b,\nthree,a,\n", {}, "line 2: split is 'x'"),
    ],
)
def test_labels_that_do_not_fit_the_folder(folder: Path, labels: str, columns: dict[str, str], reason: str) -> None:
    (folder / "labels.csv").write_text(labels)
    with pytest.raises(InputError, match=rf"labels\.csv.*{reason}"):
        read(folder, **columns)


def test_other_bad_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"has no labels; give labels\.csv with id,label in the folder"):
        read(folder)
    write_arrays(folder / "one.npz")
    with pytest.raises(InputError, match=r"1 ids are there more than once: one"):
        read(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"has no graph; a graph is a file \.npz"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "g.csv").write_text("a\n")
    with pytest.raises(InputError, match="name the column that holds them by `smiles=COLUMN`"):
        read(tmp_path / "g.csv")
    (tmp_path / "g.gml").write_text("a\n")
    with pytest.raises(InputError, match=r"unknown kind '\.gml'"):
        read(tmp_path / "g.gml")


def test_a_graph_without_edges_needs_no_attributes(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", edge_index=np.zeros((2, 0), int))
    write_arrays(tmp_path / "b.npz", edge_attr=np.ones((1, 2)))
    write_arrays(tmp_path / "c.npz", edge_attr=np.ones((1, 2)))
    assert read(tmp_path).attributes.values.shape == (2, 2)
    write_arrays(tmp_path / "c.npz")
    with pytest.raises(InputError, match=r"c\.npz: edges have no attributes, but in .*b\.npz 2"):
        read(tmp_path)


def test_one_graph_is_not_many(folder: Path) -> None:
    with pytest.raises(InputError, match=r"one: is one graph, .* `multiunet train graph`"):
        read(folder / "one")


def test_nodes_may_have_tags_alone(folder: Path) -> None:
    for name in ("one", "two"):
        lines = (folder / name / "nodes.csv").read_text().splitlines()
        (folder / name / "nodes.csv").write_text("\n".join(f"{i},{t}" for i, _, t in (x.split(",") for x in lines)))
    (folder / "three.graphml").unlink()
    (folder / "labels.csv").write_text("id,label\none,a\ntwo,b\n")
    found = read(folder)
    assert found.x is None
    assert found.tags is not None
    assert found.tags.tolist() == ["head", "tail", "tail", "tail", "head", "tail", "tail", "tail", "tail"]


def test_attributes_of_tables_are_brought_together_by_name(folder: Path) -> None:
    """Three graphs; the edge of GraphML is one in each direction."""
    columns: dict[str, Any] = {"edges": None}
    (folder / "one" / "edges.csv").write_text("source,target,length,bond\nn0,n1,1,single\nn1,n2,2,double\n")
    (folder / "two" / "edges.csv").write_text("source,target,bond,length\nn0,n1,triple,3\n")
    keys = '<key id="l" for="edge" attr.name="length" attr.type="double"/>' + (
        '<key id="b" for="edge" attr.name="bond" attr.type="string"/><graph '
    )
    edge = '<edge source="x" target="y"><data key="l">4</data><data key="b">single</data></edge>'
    text = (
        (folder / "three.graphml")
        .read_text()
        .replace("<graph ", keys, 1)
        .replace('<edge source="x" target="y"/>', edge)
    )
    (folder / "three.graphml").write_text(text)
    found = read(folder, **columns).attributes
    assert found.names == ("length", "bond=double", "bond=single", "bond=triple")
    assert found.values.tolist() == [[1, 0, 1, 0], [2, 1, 0, 0], [4, 0, 1, 0], [4, 0, 1, 0], [3, 0, 0, 1]]
    assert read(folder).attributes is None
    (folder / "two" / "edges.csv").write_text("source,target,bond\nn0,n1,triple\n")
    with pytest.raises(InputError, match=r"two: edges lack length, which other graphs of the folder have"):
        read(folder, **columns)
    with pytest.raises(InputError, match=r"edges have no width \(`edge_columns`\) but length, bond"):
        read(folder, edges=("width",))


def test_labels_of_nodes(folder: Path, save_set: Callable[..., Path]) -> None:
    found = read(folder, level="node", labels=("node_tag",))
    assert found.tags is None
    assert found.y.tolist()[:2] == ["head", "tail"]
    assert [found.node_names(graph).tolist() for graph in range(2)] == [["n0", "n1", "n2", "n3"], ["x", "y"]]
    nodes = len(trees_and_meshes(40)["node_tag"])
    assert len(read(save_set(y=np.arange(nodes) % 2), level="node").y) == nodes
    (folder / "two" / "nodes.csv").write_text("id,height\nn0,1\n")
    (folder / "two" / "edges.csv").write_text("source,target\n")
    with pytest.raises(InputError, match="no labels in 1 of its graphs: two"):
        read(folder, level="node", labels=("node_tag",))
    with pytest.raises(InputError, match="`level=node` takes"):
        read(save_set(), level="node")


def test_text_files_of_the_tu_collection(tmp_path: Path) -> None:
    """A triangle and a pair, bonds of two kinds; MUTAG's classes are -1 and 1."""
    files = {
        "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n4, 5\n5, 4\n",
        "graph_indicator": "1\n1\n1\n2\n2\n",
        "graph_labels": "1\n-1\n",
        "graph_attributes": "0.5\n1.5\n",
        "node_labels": "0\n0\n3\n3\n0\n",
        "node_attributes": "0.1, 1\n0.2, 2\n0.3, 3\n0.4, 4\n0.5, 5\n",
        "edge_labels": "1\n1\n2\n2\n1\n1\n2\n2\n",
    }
    folder = tmp_path / "toy"
    folder.mkdir()
    for kind, text in files.items():
        (folder / f"TOY_{kind}.txt").write_text(text)
    found = read_graphs(folder, Source(Columns(), None, "graph"))
    assert found.starts.tolist() == [0, 3, 5]
    assert found.edges.T.tolist()[:2] == [[0, 1], [1, 0]]
    assert found.tags.tolist() == [0, 0, 3, 3, 0]
    assert found.x.shape == (5, 2)
    assert found.attributes.values.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 1]]
    assert found.y.tolist() == [1, 0]
    assert read_graphs(folder, Source(Columns(), None, "graph", quantities=True)).y.tolist() == [0.5, 1.5]
    (folder / "TOY_A.txt").write_text("1, x\n")
    with pytest.raises(InputError, match=r"TOY_A\.txt, line 1: 'x' is not a finite number"):
        read_graphs(folder, Source(Columns(), None, "graph"))


def test_graphs_of_torch_geometric_are_read_as_a_list_and_as_a_batch(tmp_path: Path) -> None:
    data = pytest.importorskip("torch_geometric.data")
    one = data.Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]), y=torch.tensor([0]))
    torch.save([one, one], tmp_path / "list.pt")
    torch.save(data.Batch.from_data_list([one, one]).to_dict(), tmp_path / "batch.pt")
    for name in ("list.pt", "batch.pt"):
        assert read_graphs(tmp_path / name, Source(Columns(), None, "graph")).starts.tolist() == [0, 3, 6]
