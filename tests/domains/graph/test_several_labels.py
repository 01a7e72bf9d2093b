"""Several labels a node or graph, from files to predictions, with networks too small to be good."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiunet_datasets import synthetic

from multiunet.domains import inference, training
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.nodes.config import GraphPredict, GraphTrain
from multiunet.domains.graph.nodes.survey import columns_of
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.survey import source_of
from multiunet.domains.graph.several_labels import describe_labels, read_labels
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"task": "multilabel", "epochs": 2, "widths": [4, 8]}


def relabel(path: Path, labels: np.ndarray) -> Path:
    """Give a file of graphs these labels, and no other split than chance's."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if not name.endswith("mask")}
    np.savez(path, **{**arrays, "y": labels})
    return path


def draw(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    labels = (rng.random((rows, 3)) < [0.5, 0.3, 0.6]).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    return labels


def test_from_nodes_to_files(tmp_path: Path) -> None:
    labels = draw(80)
    path = relabel(synthetic.write_graph(tmp_path, nodes=80), labels)
    training.train("graph", GraphTrain(graph=path, **SMALL), tmp_path / "run", progress=Progress())
    info = load_run(tmp_path / "run").info
    assert info.labels.names == ("label0", "label1", "label2")
    trained = np.array([int(name) for name in info.split.train])
    assert info.labels.shares == pytest.approx(np.nanmean(labels[trained], axis=0).tolist())
    report = inference.evaluate(tmp_path / "run", {"samples": 2})
    tested = np.array([int(name) for name in info.split.test])
    assert report.metrics["share_per_class"] == pytest.approx(np.nanmean(labels[tested], axis=0).tolist())
    assert {"micro_f1", "micro_auprc", "micro_auroc", "f1", "auprc", "auroc"} <= set(report.metrics)
    assert report.baselines["frequency"]["auroc"] == pytest.approx(0.5)
    assert "mlp" in report.baselines

    options = GraphPredict(samples=2, export=tmp_path / "files")
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr")
    [data] = open_prediction(tmp_path / "p.zarr").values()
    assert data["class"].dims == ("channel", "node")
    assert np.array_equal(np.isnan(data["target"].values), np.isnan(labels.T))
    rows = list(csv.DictReader((tmp_path / "files" / f"{path.stem}.csv").open()))
    assert [int(row["label1"]) for row in rows] == data["class"].values[1].astype(int).tolist()
    assert float(rows[3]["p_label2"]) == pytest.approx(float(data["mean"].values[2, 3]))
    found = inference.measure("graph", {"prediction": tmp_path / "p.zarr"})["rows"]
    assert [row["predicted"] for row in found] == pytest.approx(data["class"].values.mean(axis=1).tolist())


def test_graphs_have_several_labels(tmp_path: Path) -> None:
    path = relabel(synthetic.write_graph_set(tmp_path, 40), draw(40))
    training.train("graphs", GraphsTrain(graphs=path, **SMALL), tmp_path / "run", progress=Progress())
    report = inference.evaluate(tmp_path / "run", {"samples": 1})
    assert len(report.metrics["f1_per_class"]) == 3
    assert set(report.baselines) == {"frequency", "structure_free"}


def test_what_is_no_label_is_named() -> None:
    with pytest.raises(
        InputError, match=r"node 1: label 0 is 2 \(1 such values\); each label of `task=multilabel` is 1"
    ):
        read_labels(Path("a.npz"), np.array([[0, 1], [2, 1]]))
    assert np.isnan(read_labels(Path("a.npz"), np.array([[0, -1]]))).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([0, 0, np.nan], "b is in no training node"),
        ([1, np.nan, 1], "b is missing in no training node"),
        ([np.nan] * 3, "b is known of no training node"),
    ],
)
def test_labels_that_teach_nothing_are_refused(column: list[float], words: str) -> None:
    table = np.array([[0, 1, 1], column], dtype=np.float32).T
    with pytest.raises(InputError, match=words):
        describe_labels(Path("a.npz"), ["a", "b"], table)
    assert describe_labels(Path("a.npz"), ["a"], table[:, :1]).shares == pytest.approx([2 / 3])


def test_labels_of_tables_are_a_column_each(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "g" / "nodes.csv").write_text("id,size,Binds,lives\na,1,1,0\nb,2,,1\nc,3,0,-1\n")
    graph = read_graph(tmp_path / "g", columns_of(GraphTrain(graph=tmp_path, label_column="binds,lives")))
    assert (graph.features, graph.quantities) == (("size",), ("binds", "lives"))
    np.testing.assert_array_equal(read_labels(tmp_path, graph.y), [[1, 0], [np.nan, 1], [0, np.nan]])
    with pytest.raises(InputError, match=r"nodes.csv: has no dies \(`label_column`\) but size, Binds, lives"):
        read_graph(tmp_path / "g", Columns(labels=("Binds", "dies")))


def test_labels_of_graphs_are_a_column_each(tmp_path: Path) -> None:
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=np.ones((2, 1)), edge_index=np.array([[0], [1]]))
    (tmp_path / "labels.csv").write_text("id,binds,lives,split\nb,1,,test\na,0,1,train\n")
    graphs = read_graphs(tmp_path, source_of(GraphsTrain(graphs=tmp_path, label_column=["binds", "lives"])))
    assert (graphs.ids, graphs.quantities, graphs.splits.tolist()) == (
        ("a", "b"),
        ("binds", "lives"),
        ["train", "test"],
    )
    np.testing.assert_array_equal(read_labels(tmp_path, graphs.y), [[0, 1], [1, np.nan]])
