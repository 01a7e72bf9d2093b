"""GraphML: what the format implies, and files that hold more than one plain graph; NetworkX is the peer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.graph.files.graphml import read_graphml
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError

KEYS = """<key id="f" for="node" attr.name="f" attr.type="double"/>
<key id="l" for="node" attr.name="label" attr.type="string"/>"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(body: str, keys: str = KEYS, name: str = "g.graphml") -> Path:
        head = '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        (tmp_path / name).write_text(f"{head}{keys}{body}</graphml>", encoding="utf-8")
        return tmp_path / name

    return write


def node(name: str, f: float | None = 1, label: str | None = None) -> str:
    data = "" if f is None else f'<data key="f">{f}</data>'
    data += "" if label is None else f'<data key="l">{label}</data>'
    return f'<node id="{name}">{data}</node>'


def edge(source: str, target: str, more: str = "", data: str = "") -> str:
    return f'<edge source="{source}" target="{target}" {more}>{data}</edge>'


def test_defaults_hold_for_what_has_no_datum(write: Callable[..., Path]) -> None:
    keys = """<key id="f" for="node" attr.name="f" attr.type="double"><default>0.5</default></key>
    <key id="l" for="node" attr.name="label" attr.type="string"><default>common</default></key>
    <key id="s" for="all" attr.name="split" attr.type="string"><default>train</default></key>
    <key id="w" for="edge" attr.name="weight" attr.type="double"><default>2.5</default></key>
    <key id="k" for="edge" attr.name="kind" attr.type="string"><default>road</default></key>"""
    body = node("a", None) + node("b", 3, "rare") + node("c", None)
    body += edge("a", "b", data='<data key="w">1</data>') + edge("b", "c", data='<data key="k">rail</data>')
    path = write(f'<graph edgedefault="directed">{body}</graph>', keys)
    graph = read_graph(path, Columns(edges=("kind",)))
    assert graph.y is not None
    assert graph.weight is not None
    assert graph.attributes is not None
    assert graph.y.tolist() == ["common", "rare", "common"]
    assert graph.x.tolist() == [[0.5], [3], [0.5]]
    assert graph.weight.tolist() == [1, 2.5]
    assert graph.attributes.names == ("kind=rail", "kind=road")
    assert graph.attributes.values.tolist() == [[0, 1], [1, 0]]
    assert graph.masks["train"].all()


def test_all_graphs_of_a_file_are_read(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    graphs = "".join(
        f'<graph id="{g}" edgedefault="undirected">'
        + "".join(node(f"{g}{i}", i, "pq"[i % 2]) for i in range(count))
        + edge(f"{g}0", f"{g}1")
        + "</graph>"
        for g, count in (("A", 12), ("B", 20))
    )
    path = write(graphs)
    graph = read_graph(path, Columns())
    assert len(graph.ids) == 32
    assert graph.edges.tolist() == [[0, 12, 1, 13], [1, 13, 0, 12]]
    assert "holds 2 graphs: A (12 nodes), B (20 nodes)" in caplog.text
    with pytest.raises(InputError, match=r"g\.graphml: holds 2 graphs: A \(12 nodes\), B \(20 nodes\); save each"):
        read_graphs(path.parent, Source(Columns(), None, "graph"))


def test_directions_may_be_mixed(write: Callable[..., Path]) -> None:
    nodes = "".join(map(node, "abc"))
    body = edge("a", "b", 'directed="false"') + edge("b", "c") + edge("c", "c", 'directed="false"')
    found = read_graphml(write(f'<graph edgedefault="directed">{nodes}{body}</graph>'), Columns())
    assert found.edges.T.tolist() == [[0, 1], [1, 2], [2, 2], [1, 0]]
    body = edge("a", "b") + edge("b", "c", 'directed="true"')
    found = read_graphml(write(f'<graph edgedefault="undirected">{nodes}{body}</graph>'), Columns())
    assert found.edges.T.tolist() == [[0, 1], [1, 2], [1, 0]]


def test_nodes_of_nested_graphs_are_read(write: Callable[..., Path]) -> None:
    inner = f'<graph id="g:" edgedefault="undirected">{node("c")}{node("d")}{edge("c", "d")}</graph>'
    group = f'<node id="b"><data key="f">2</data>{inner}</node>'
    found = read_graphml(
        write(f'<graph edgedefault="undirected">{node("a")}{group}{edge("a", "c")}</graph>'), Columns()
    )
    assert found.ids == ["a", "b", "c", "d"]
    assert found.x[:, 0].tolist() == [1, 2, 1, 1]
    assert {tuple(ends) for ends in found.edges.T.tolist()} == {(2, 3), (3, 2), (0, 2), (2, 0)}


def test_drawings_of_yed(write: Callable[..., Path]) -> None:
    keys = '<key for="node" id="d6" yfiles.type="nodegraphics"/><key for="edge" id="d10" yfiles.type="edgegraphics"/>'

    def drawn(name: str, x: int, label: str) -> str:
        shape = f'<y:Geometry x="{x}.0" y="5.0" height="30.0"/><y:NodeLabel>{label}</y:NodeLabel>'
        return f'<node id="{name}"><data key="d6"><y:ShapeNode>{shape}</y:ShapeNode></data></node>'

    nodes = (drawn("n0", 1, "cat") + drawn("n1", 2, "dog")).replace(
        "<y:ShapeNode>", '<y:ShapeNode xmlns:y="http://www.yworks.com/xml/graphml">'
    )
    graph = read_graph(write(f'<graph edgedefault="directed">{nodes}{edge("n0", "n1")}</graph>', keys), Columns())
    assert graph.y is not None
    assert graph.y.tolist() == ["cat", "dog"]
    assert graph.features == ("x", "y")
    assert graph.x.tolist() == [[1, 5], [2, 5]]


@pytest.mark.parametrize("directed", [False, True])
def test_a_peer_writes_the_same_graph(tmp_path: Path, directed: bool) -> None:
    networkx = pytest.importorskip("networkx")
    rng = np.random.default_rng(0)
    graph = networkx.gnm_random_graph(20, 40, seed=1, directed=directed)
    for place in graph:
        graph.nodes[place].update(
            height=float(rng.normal()), count=int(rng.integers(9)), odd=bool(place % 2), label="ab"[place % 2]
        )
    for ends in graph.edges:
        graph.edges[ends]["weight"] = float(rng.uniform(1, 2))
    networkx.write_graphml(graph, tmp_path / "g.graphml")
    found = read_graph(tmp_path / "g.graphml", Columns())
    assert found.features == ("height", "count", "odd")
    np.testing.assert_array_equal(
        found.x,
        np.array([[given["height"], given["count"], given["odd"]] for _, given in graph.nodes(data=True)], np.float32),
    )
    assert found.weight is not None
    weights = {tuple(ends): weight for ends, weight in zip(found.edges.T.tolist(), found.weight.tolist())}
    expected = {(a, b): given["weight"] for a, b, given in graph.edges(data=True)}
    if not directed:
        expected |= {(b, a): weight for (a, b), weight in expected.items()}
    assert weights == pytest.approx(expected)
    assert len(weights) == found.edges.shape[1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (node("a") + node("a"), "two nodes have the id 'a'"),
        (node("a") + edge("a", "z"), "edge a -> z: there is no node 'z'"),
        (node("a") + '<hyperedge><endpoint node="a"/></hyperedge>', "has a hyperedge"),
        ('<node id="a"><data key="no">1</data></node>', "data of the key 'no', but no <key> of nodes"),
        ('<node id="a"><data key="f">1</data><data key="f">2</data></node>', "node a has two data of the name 'f'"),
        ("", "has no node"),
        ("<node/>", r"damaged, cut short or of another format \('id'\)"),
        ("<node>", "damaged, cut short or of another format"),
    ],
)
def test_bad_documents(write: Callable[..., Path], body: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"g\.graphml.*{reason}"):
        read_graphml(write(f'<graph edgedefault="directed">{body}</graph>'), Columns())


def test_what_is_declared_is_compared(write: Callable[..., Path]) -> None:
    keys = KEYS.replace("double", "int")
    with pytest.raises(InputError, match=r"node b: f is '1\.7', but declared as int"):
        read_graphml(write(f'<graph edgedefault="directed">{node("a", 1)}{node("b", 1.7)}</graph>', keys), Columns())


def test_other_xml_and_deep_nesting(tmp_path: Path, write: Callable[..., Path]) -> None:
    (tmp_path / "x.graphml").write_text("<html><body/></html>")
    with pytest.raises(InputError, match=r"x\.graphml: is XML, but not GraphML: it begins with <html>"):
        read_graphml(tmp_path / "x.graphml", Columns())
    depth = 3000
    opening = "".join(f'<node id="n{i}"><data key="f">1</data><graph edgedefault="directed">' for i in range(depth))
    body = f'<graph edgedefault="directed">{opening}{"</graph></node>" * depth}</graph>'
    assert len(read_graphml(write(body), Columns()).ids) == depth


def test_names_that_look_alike_are_one(write: Callable[..., Path]) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    body = node("a", 1, composed) + node(decomposed, 2, decomposed) + edge("a", composed)
    graph = read_graph(write(f'<graph edgedefault="directed">{body}</graph>'), Columns())
    assert graph.y is not None
    assert set(graph.y.tolist()) == {composed}
    assert graph.edges.tolist() == [[0], [1]]
