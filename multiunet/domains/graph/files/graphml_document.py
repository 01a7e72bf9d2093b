"""Nodes, edges, keys and data of a GraphML document, as they are written."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from multiunet.domains.entities import refuse_entities
from multiunet.domains.reading import reading
from multiunet.errors import InputError

DRAWN = {
    "Geometry": {"x": "x", "y": "y"},
    "Shape": {"type": "shape_type"},
    "GenericNode": {"configuration": "shape_type"},
}
"""Elements with which yEd draws nodes, and the data that their XML attributes are read as."""


@dataclass
class Attribute:
    """Data of one name, of nodes or of edges.

    Attributes:
        name: empty for data that only draw.
        kind: as the key declares it: boolean, int, long, float, double or string.
        default: of nodes or edges without a datum; None: not declared.
        cells: text by the number of the node or edge.
    """

    name: str
    kind: str = "string"
    default: str | None = None
    cells: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """An edge by the ids of its nodes."""

    source: str
    target: str
    undirected: bool


@dataclass
class Document:
    """Content of a GraphML file.

    Attributes:
        nodes: the number of each node by its id, in the order of the file, those of nested graphs included.
        edges: in the order of the file.
        graphs: name and number of nodes of each graph that is not nested in another.
        data: of nodes ("node") and of edges ("edge"), by name.
    """

    path: Path
    nodes: dict[str, int] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    graphs: list[tuple[str, int]] = field(default_factory=list)
    data: dict[str, dict[str, Attribute]] = field(default_factory=lambda: {"node": {}, "edge": {}})


def parse_graphml(path: Path) -> Document:
    """Parse a GraphML file.

    Raises:
        InputError: for a file that is cut short, not GraphML, has hyperedges, equal ids or data without a key.
    """
    parser = _Parser(path)
    with reading(path), open(path, "rb") as file:
        parser.expat.ParseFile(file)
    return parser.finish()


class _Parser:
    """Handlers of the XML parser; the innermost node, edge or graph is the last of ``owners``."""

    def __init__(self, path: Path) -> None:
        self.document = Document(path)
        self.keys: dict[tuple[str, str], Attribute] = {}
        self.owners: list[tuple[str, int]] = []
        self.undirected: list[bool] = []
        self.tags: list[str] = []
        self.key: list[Attribute] = []
        self.datum: Attribute | None = None
        self.is_drawing = False
        self.drawn: dict[str, dict[str, Attribute]] = {"node": {}, "edge": {}}
        self.text: list[str] | None = None
        self.expat = expat.ParserCreate(namespace_separator="}")
        self.expat.buffer_text = True
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self._characters
        self.expat.EntityDeclHandler = lambda *_: refuse_entities(path)

    def finish(self) -> Document:
        """Return the document, with what drawings say of nodes and edges that data do not."""
        for of, drawn in self.drawn.items():
            for name, attribute in drawn.items():
                known = self.document.data[of].setdefault(name, Attribute(name))
                known.cells = attribute.cells | known.cells
        return self.document

    def _start(self, tag: str, given: dict[str, str]) -> None:
        tag = tag.rpartition("}")[2]
        if not self.tags and tag != "graphml":
            raise InputError(f"{self.document.path}: is XML, but not GraphML: it begins with <{tag}>")
        self.tags.append(tag)
        given = {name: _composed(value) for name, value in given.items()}
        if self.datum is not None:
            self._draw(tag, given)
        elif tag in ("graph", "node", "edge", "key", "data", "default", "hyperedge"):
            getattr(self, f"_start_{tag}")(given)

    def _end(self, tag: str) -> None:
        tag = self.tags.pop()
        if tag == "data" and self.datum is not None:
            text = self._taken()
            if not self.is_drawing:
                self._store(self.datum, text)
            self.datum = None
        elif self.datum is not None:
            if tag in ("NodeLabel", "EdgeLabel") and self.text is not None:
                self._describe("label", self._taken())
        elif tag == "default":
            default = self._taken()
            for attribute in self.key:
                attribute.default = default
        elif tag in ("graph", "node", "edge"):
            self.owners.pop()
            if tag == "graph":
                self.undirected.pop()

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _taken(self) -> str:
        text, self.text = "".join(self.text or ()), None
        return _composed(text.strip())

    def _start_key(self, given: dict[str, str]) -> None:
        domain, name = given.get("for", "all"), given.get("attr.name", given.get("id", ""))
        self.key = []
        for of in ("node", "edge"):
            if domain not in (of, "all"):
                continue
            attribute = Attribute("" if "yfiles.type" in given else name, given.get("attr.type", "string"))
            if attribute.name:
                attribute = self.document.data[of].setdefault(name, attribute)
            self.keys[of, given.get("id", "")] = attribute
            self.key.append(attribute)

    def _start_default(self, given: dict[str, str]) -> None:
        self.text = []

    def _start_graph(self, given: dict[str, str]) -> None:
        if not self.owners:
            self.document.graphs.append((given.get("id", str(len(self.document.graphs) + 1)), 0))
        self.owners.append(("graph", 0))
        self.undirected.append(given.get("edgedefault") != "directed")

    def _start_node(self, given: dict[str, str]) -> None:
        node, nodes = given["id"], self.document.nodes
        if node in nodes:
            raise InputError(f"{self.document.path}: two nodes have the id {node!r}; give each its own")
        self.owners.append(("node", len(nodes)))
        nodes[node] = len(nodes)
        name, count = self.document.graphs[-1]
        self.document.graphs[-1] = name, count + 1

    def _start_edge(self, given: dict[str, str]) -> None:
        directed = given.get("directed")
        undirected = self.undirected[-1] if directed is None else directed.lower() in ("false", "0")
        self.owners.append(("edge", len(self.document.edges)))
        self.document.edges.append(Edge(given["source"], given["target"], undirected))

    def _start_hyperedge(self, given: dict[str, str]) -> None:
        raise InputError(
            f"{self.document.path}: has a hyperedge, an edge of several nodes, which is not supported; give an edge "
            "for each pair"
        )

    def _start_data(self, given: dict[str, str]) -> None:
        of, _ = self.owners[-1] if self.owners else ("graphml", 0)
        if of not in ("node", "edge"):
            return
        key = given.get("key", "")
        if (of, key) not in self.keys:
            raise InputError(
                f"{self.document.path}: has data of the key {key!r}, but no <key> of {of}s that declares it"
            )
        self.datum, self.is_drawing, self.text = self.keys[of, key], False, []

    def _draw(self, tag: str, given: dict[str, str]) -> None:
        """Take what an element within a datum, with which yEd draws, says of the node or edge."""
        self.is_drawing = True
        self.text = [] if tag in ("NodeLabel", "EdgeLabel") else None
        if self.owners[-1][0] == "node":
            for name, target in DRAWN.get(tag, {}).items():
                if name in given:
                    self._describe(target, given[name])

    def _describe(self, name: str, text: str) -> None:
        of, row = self.owners[-1]
        self.drawn[of].setdefault(name, Attribute(name)).cells.setdefault(row, text)

    def _store(self, attribute: Attribute, text: str) -> None:
        of, row = self.owners[-1]
        if row in attribute.cells:
            raise InputError(
                f"{self.document.path}: {of} {self._owner()} has two data of the name {attribute.name!r}; leave one out"
            )
        if attribute.name and not attribute.cells:  # names are in the order in which data come
            self.document.data[of][attribute.name] = self.document.data[of].pop(attribute.name)
        attribute.cells[row] = text

    def _owner(self) -> str:
        of, row = self.owners[-1]
        if of == "node":
            return next(node for node, number in self.document.nodes.items() if number == row)
        return f"{self.document.edges[row].source} -> {self.document.edges[row].target}"


def _composed(text: str) -> str:
    """Return text in composed Unicode (NFC), so that names that look alike are equal."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
