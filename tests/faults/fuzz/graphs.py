"""One graph and many, as arrays, tables, GraphML and the folders of other libraries: seeds and second readers."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from multiunet_datasets import synthetic

from tests.domains.graph.files import test_ogb as ogb
from tests.domains.graph.files.test_tu import TOY
from tests.faults.fuzz.reader import Reader, write_text


def read_graph(path: Path) -> Any:
    from multiunet.domains.graph.files.readers import read_graph
    from multiunet.domains.graph.files.tables import Columns

    graph = read_graph(path, Columns())
    return {"x": graph.x, "edge_index": graph.edges}


def read_graphs(path: Path) -> Any:
    from multiunet.domains.graph.files.sets import Source, read_graphs
    from multiunet.domains.graph.files.tables import Columns

    found = read_graphs(path, Source(Columns(edges=None), None, "graph"))
    return {"starts": found.starts, "edge_index": found.edges}


def write_npz(folder: Path) -> Path:
    synthetic.write_graph(folder, nodes=30)
    return folder / "graph.npz"


def read_npz_plainly(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as file:
        return {"x": file["x"].astype(np.float32), "edge_index": file["edge_index"].astype(np.int64)}


def read_set_plainly(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as file:
        starts, edges = file["graph_ptr"].astype(np.int64), file["edge_index"].astype(np.int64)
    order = np.argsort(np.searchsorted(starts, edges[0], side="right"), kind="stable")
    return {"starts": starts, "edge_index": edges[:, order]}


def write_pt(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import torch
        from torch_geometric.data import Data

        arrays = synthetic.community_graph(12, 2, 4)
        data = Data(**{name: torch.as_tensor(arrays[name]) for name in ("x", "edge_index", "y")})
        torch.save(data if kind == "data" else data.to_dict(), folder / "graph.pt")
        return folder / "graph.pt"

    return make


def read_pt_plainly(path: Path) -> Any:
    import torch
    from torch_geometric.data.data import Data, DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import GlobalStorage

    with torch.serialization.safe_globals([Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]):
        found = torch.load(path, weights_only=True)
    return {"x": np.asarray(found["x"], np.float32), "edge_index": np.asarray(found["edge_index"], np.int64)}


def read_graphml_plainly(path: Path) -> Any:
    import networkx

    found = networkx.read_graphml(path)
    number = {node: row for row, node in enumerate(found.nodes)}
    columns = list(dict.fromkeys(name for _, data in found.nodes(data=True) for name in data if name != "label"))
    x = [[float(data[name]) for name in columns] for _, data in found.nodes(data=True)]
    ends = [(number[one], number[other]) for one, other in found.edges()]
    back = [(other, one) for one, other in ends if one != other and not found.is_directed()]
    return {"x": np.array(x, np.float32), "edge_index": sorted(ends + back)}


def read_graphml(path: Path) -> Any:
    found = read_graph(path)
    return {"x": found["x"], "edge_index": sorted(zip(*found["edge_index"].tolist()))}


def write_folder(folder: Path) -> Path:
    place = folder / "graph"
    place.mkdir()
    rows = [f"n{row},{row / 3},{row % 2},{'train' if row < 6 else 'test'}" for row in range(9)]
    (place / "nodes.csv").write_text("id,x,label,split\n" + "\n".join(rows) + "\n")
    (place / "edges.csv").write_text("source,target\n" + "".join(f"n{row},n{row + 1}\n" for row in range(8)))
    return place


def read_folder_plainly(path: Path) -> Any:
    nodes, edges = (read_rows(path / name) for name in ("nodes.csv", "edges.csv"))
    number = {row["id"]: place for place, row in enumerate(nodes)}
    x = [[float(row["x"])] for row in nodes]
    ends = [[number[row["source"]], number[row["target"]]] for row in edges]
    return {"x": np.array(x, np.float32), "edge_index": np.array(ends, np.int64).reshape(-1, 2).T}


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [{name.strip(): cell.strip() for name, cell in row.items()} for row in csv.DictReader(file, strict=True)]
    return [row for row in rows if any(row.values())]


def read_numbers(path: Path) -> Any:
    data = path.read_bytes()
    text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8-sig")
    return np.array([[float(cell) for cell in row] for row in csv.reader(text.splitlines()) if any(row)])


def read_ogb_plainly(path: Path) -> Any:
    tables = {name: read_numbers(path / f"raw/{name}.csv.gz") for name in ("edge", "node-feat")}
    return {"x": tables["node-feat"].astype(np.float32), "edge_index": tables["edge"].astype(np.int64).T}


def write_tu(folder: Path) -> Path:
    place = folder / "TOY"
    place.mkdir()
    for kind, text in TOY.items():
        (place / f"TOY_{kind}.txt").write_text(text)
    return place


def read_tu_plainly(path: Path) -> Any:
    edges = read_numbers(path / "TOY_A.txt").astype(np.int64).T - 1
    graph = read_numbers(path / "TOY_graph_indicator.txt").astype(np.int64)[:, 0] - 1
    labels = len(read_numbers(path / "TOY_graph_labels.txt"))
    counts = np.bincount(graph, minlength=labels)
    order = np.argsort(graph[edges[0]], kind="stable")
    return {"starts": np.cumsum([0, *counts]), "edge_index": edges[:, order]}


def write_many(folder: Path) -> Path:
    place = folder / "many"
    place.mkdir()
    for row in range(2):
        (write_folder(place)).rename(place / f"g{row}")
    (place / "labels.csv").write_text("id,label\ng0,0\ng1,1\n")
    return place


GRAPHML = (
    '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    '<key id="d" for="node" attr.name="x" attr.type="double"/><key id="l" for="node" attr.name="label" '
    'attr.type="int"/><graph edgedefault="undirected">'
    + "".join(f'<node id="n{i}"><data key="d">{i / 3}</data><data key="l">{i % 2}</data></node>' for i in range(9))
    + "".join(f'<edge source="n{i}" target="n{i + 1}"/>' for i in range(8))
    + "</graph></graphml>"
)

GRAPHS = {
    "npz": Reader(write_npz, read_graph, read_npz_plainly),
    "npz-set": Reader(lambda folder: synthetic.write_graph_set(folder, 6), read_graphs, read_set_plainly),
    "pt": Reader(write_pt("dict"), read_graph, read_pt_plainly),
    "pt-data": Reader(write_pt("data"), read_graph, read_pt_plainly),
    "graphml": Reader(write_text("a.graphml", GRAPHML), read_graphml, read_graphml_plainly),
    "graph-csv": Reader(write_folder, read_graph, read_folder_plainly),
    "graphs-csv": Reader(write_many, read_graphs),
    "ogb": Reader(ogb.nodes, read_graph, read_ogb_plainly),
    "ogb-set": Reader(ogb.graphs, read_graphs),
    "tu": Reader(write_tu, read_graphs, read_tu_plainly),
}
"""By name; the seeds are small and whole."""
