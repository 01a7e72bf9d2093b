"""A graph as GraphML, as NetworkX, Gephi, yEd, igraph and Cytoscape write it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import chosen, finite, from_columns, words_apart
from multiunet.domains.graph.files.tables import SPLIT_WORDS, SPLITS, Columns, Tables
from multiunet.errors import InputError


def read_graphml(path: Path, columns: Columns) -> Tables:
    """Reads nodes with their attributes, which are the label, the split and features, and edges with theirs.

    An edge of an undirected graph is one in each direction.

    Raises:
        InputError: naming the node or edge and what is wrong with it.
    """
    import networkx  # costs a tenth of a second to import

    try:
        graph = networkx.read_graphml(path)
    except (OSError, ParseError, networkx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as GraphML ({error}); is it complete?") from error
    nodes: dict[Any, dict[str, Any]] = dict(graph.nodes(data=True))
    if not nodes:
        raise InputError(f"{path}: has no node")
    names = dict.fromkeys(name for given in nodes.values() for name in given)
    wanted = columns.features_among(path, list(names))
    texts = {name: [_text(given[name]) if name in given else "" for given in nodes.values()] for name in wanted}
    table = words_apart(path, texts)
    number = {node: place for place, node in enumerate(nodes)}
    edges = list(graph.edges(data=True))
    ends = np.array([[number[source], number[target]] for source, target, _ in edges], dtype=np.int64).reshape(-1, 2).T
    weight = _weights(path, edges)
    known = list(dict.fromkeys(name for _, _, told in edges for name in told))
    taken = chosen(path, known, columns.edges)
    cells = {name: [_text(told.get(name, "")) for _, _, told in edges] for name in taken}
    attributes = from_columns(path, cells, lambda edge: f"edge {edges[edge][0]} -> {edges[edge][1]}")
    given = np.arange(len(edges))
    if not graph.is_directed():
        back = np.flatnonzero(ends[0] != ends[1])
        ends, given = np.concatenate([ends, ends[::-1, back]], axis=1), np.concatenate([given, back])
    return Tables(
        ids=[str(node) for node in nodes],
        features=tuple(table),
        x=np.array(
            [[_number(path, node, name, cell) for node, cell in zip(nodes, cells)] for name, cells in table.items()],
            np.float32,
        )
        .reshape(len(table), len(nodes))
        .T,
        labels=_labels(nodes, columns.label) if columns.label in names else None,
        masks=_masks(path, nodes, columns.split) if columns.split in names else {},
        edges=ends,
        weight=None if weight is None else weight[given],
        attributes=None if attributes is None else replace(attributes, values=attributes.values[given]),
        unread=tuple(name for name in chosen(path, known, None) if name not in taken),
    )


def _number(path: Path, node: Any, name: str, cell: str) -> float:
    number = finite(cell)
    if number is None:
        found = f"is {cell!r}, not a finite number" if cell else "is missing"
        raise InputError(
            f"{path}: of node {node}, {name!r} {found}; all attributes of nodes but the label and the split are "
            "features; labels are named by --label-column"
        )
    return number


def _text(value: Any) -> str:
    return str(float(value)) if isinstance(value, bool | int | float) else str(value).strip()


def _labels(nodes: Mapping[Any, Mapping[str, Any]], name: str) -> NDArray[np.str_]:
    return np.array([str(given.get(name, "")).strip() for given in nodes.values()], dtype=np.str_)


def _masks(path: Path, nodes: Mapping[Any, Mapping[str, Any]], name: str) -> Mapping[str, NDArray[np.bool_]]:
    words = {node: str(given.get(name, "")).strip() for node, given in nodes.items()}
    for node, word in words.items():
        if word.lower() not in SPLIT_WORDS:
            raise InputError(f"{path}: {name} of node {node} is {word!r}; it must be train, val, test or empty")
    splits = np.array([SPLIT_WORDS[word.lower()] for word in words.values()])
    return {split: splits == split for split in SPLITS if (splits == split).any()}


def _weights(path: Path, edges: list[tuple[Any, Any, dict[str, Any]]]) -> NDArray[np.float32] | None:
    if not any("weight" in given for _, _, given in edges):
        return None
    for source, target, given in edges:
        value = given.get("weight")
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise InputError(
                f"{path}: the weight of the edge {source} -> {target} is {'missing' if value is None else repr(value)};"
                " weights must be positive numbers"
            )
    return np.array([given["weight"] for _, _, given in edges], dtype=np.float32)
