from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiunet_datasets.synthetic import trees_and_meshes

Saver = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Saver:
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
