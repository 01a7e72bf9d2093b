from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiunet_datasets.synthetic import trees_and_meshes

Arrays = dict[str, Any]
Saver = Callable[..., Path]


def ring(nodes: int = 24, features: int = 6) -> Arrays:
    """A ring of two classes, each one half of it, whose features hint at the class."""
    rng = np.random.default_rng(0)
    y = (np.arange(nodes) >= nodes // 2).astype(np.int64)
    x = rng.normal(0, 1, (nodes, features)) + 2 * y[:, None]
    place = np.arange(nodes)
    train, val, test = (place % 3 == part for part in range(3))
    return {
        "x": x.astype(np.float32),
        "edge_index": np.stack([place, (place + 1) % nodes]),
        "y": y,
        "train_mask": train,
        "val_mask": val,
        "test_mask": test,
    }


@pytest.fixture
def save(tmp_path: Path) -> Saver:
    """Saves the ring as ``g.npz``, with some arrays changed, and without those that are None."""

    def write(**changes: Any) -> Path:
        arrays = {name: array for name, array in (ring() | changes).items() if array is not None}
        np.savez(tmp_path / "g.npz", **arrays)
        return tmp_path / "g.npz"

    return write


@pytest.fixture
def tables(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``nodes.csv`` and ``edges.csv``; None leaves one out."""

    def write(nodes: str | None = NODES, edges: str | None = EDGES) -> Path:
        folder = tmp_path / "network"
        folder.mkdir(exist_ok=True)
        for name, text in (("nodes.csv", nodes), ("edges.csv", edges)):
            if text is not None:
                (folder / name).write_text(text, encoding="utf-8")
        return folder

    return write


NODES = """id,height,label,weight,split
ann,1.5,cat,0,train
b-2,-2,dog,1,train
"c, d",0.25,,0,
7,1e1,dog,1,val
é,3,cat,0,test
"""

EDGES = """source,target
ann,b-2
b-2,"c, d"
"c, d",7
7,é
é,ann
"""


@pytest.fixture
def save_set(tmp_path: Path) -> Saver:
    """Saves 40 trees and meshes as ``g.npz``, with some arrays changed, and without those that are None."""

    def write(**changes: Any) -> Path:
        arrays = {name: array for name, array in (trees_and_meshes(40) | changes).items() if array is not None}
        np.savez(tmp_path / "g.npz", **arrays)
        return tmp_path / "g.npz"

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six graphs as folders, GraphML and arrays, with labels.csv; paths are ``a``, the others ``b``."""
    place = tmp_path / "set"
    place.mkdir()
    for name, nodes in (("one", 4), ("two", 5)):
        (place / name).mkdir()
        rows = "".join(f"n{i},{i / 2},{'head' if i == 0 else 'tail'}\n" for i in range(nodes))
        (place / name / "nodes.csv").write_text(f"id,height,node_tag\n{rows}")
        rows = "".join(f"n{i},n{i + 1}\n" for i in range(nodes - 1))
        (place / name / "edges.csv").write_text(f"source,target\n{rows}")
    (place / "three.graphml").write_text(GRAPHML)
    (place / "labels.csv").write_text("id,label\none,a\ntwo,b\nthree.graphml,a\n")
    return place


GRAPHML = """<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="h" for="node" attr.name="height" attr.type="double"/>
<key id="t" for="node" attr.name="node_tag" attr.type="string"/>
<graph edgedefault="undirected">
<node id="x"><data key="h">1</data><data key="t">head</data></node>
<node id="y"><data key="h">3</data><data key="t">tail</data></node>
<edge source="x" target="y"/></graph></graphml>"""
