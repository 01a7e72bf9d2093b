"""Reading graphs before training: what is wrong with them, and what later steps need to know of them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.domain import Facts
from multiunet.domains.graph.labels import UNKNOWN, class_indices, class_values, quantities
from multiunet.domains.graph.readers import GraphFile
from multiunet.domains.graph.survey import normalization, normalized, simplified
from multiunet.domains.graph.tables import Columns
from multiunet.domains.graphs.collection import GraphSet
from multiunet.domains.graphs.config import GraphsTrain
from multiunet.domains.graphs.readers import Source
from multiunet.domains.graphs.splits import Members, split_graphs
from multiunet.domains.splits import SPLITS, listing
from multiunet.errors import InputError
from multiunet.geometries.graph_attributes import carried
from multiunet.geometries.graph_field import GraphField

logger = logging.getLogger("multiunet.graphs")


@cache
def remark(text: str) -> None:
    """Warns, unless exactly this was said before: the folds of a cross-validation look at the same graphs."""
    logger.warning("%s", text)


MOST_DEGREES = 32
"""Nodes of more neighbours are not told apart where degrees are features."""


@dataclass(frozen=True)
class Survey:
    """Graphs ready to train on.

    Attributes:
        fields: of each graph.
        targets: of each graph, one row or one a node: class indices ``(rows,)`` int64, ``UNKNOWN`` where not known; or
            quantities ``(rows, K)`` float32, NaN where not measured.
        members: labelled graphs by split.
    """

    graphs: GraphSet
    fields: list[GraphField]
    targets: list[Tensor]
    members: Members
    facts: Facts


@dataclass(frozen=True)
class Edges:
    """Of all graphs, without loops and repetitions; graphs ascending.

    Attributes:
        index: ``(2, edges)``.
        weight: ``(edges,)``; None: all 1.
        attributes: ``(edges, K)``; None: none.
        changes: how many were left out or added.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: NDArray[np.float32] | None
    changes: dict[str, int]


def source_of(config: GraphsTrain) -> Source:
    """How the files of a training, and of its predictions, are read."""
    return Source(Columns(config.id_column, config.label_column, config.split_column), config.smiles, config.level)


def survey(graphs: GraphSet, config: GraphsTrain) -> Survey:
    """Everything that training needs.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    target, of_target = _targets(graphs, config)
    rows = graphs.starts if config.level == "node" else np.arange(len(graphs) + 1)
    known = target != UNKNOWN if target.ndim == 1 else ~np.isnan(target).all(axis=1)
    labelled = np.array([bool(known[a:b].any()) for a, b in pairwise(rows)], dtype=bool)
    graded = config.task == "classification" and config.level == "graph"
    strata = target if graded else np.zeros(len(graphs), dtype=np.int64)
    members = split_graphs(graphs, labelled, strata, config)
    edges = without_repetitions(graphs, config.undirected)
    _report(graphs, edges, config.undirected, labelled)
    facts: Facts = {
        "task": config.task,
        "level": config.level,
        "smiles": config.smiles is not None,
        "graphs": len(graphs),
        "nodes": int(graphs.starts[-1]),
        "largest": int(np.diff(graphs.starts).max()),
        "empty": int((np.diff(graphs.starts) == 0).sum()),
        "edges": edges.changes,
        **_inputs(graphs, edges, config),
        "split": {split: len(members[split]) for split in SPLITS} | {"unlabelled": int((~labelled).sum())},
        "data": _digest(graphs, members),
        **of_target,
    }
    trained = np.concatenate([np.arange(rows[i], rows[i + 1]) for i in members["train"]])
    if config.task == "classification":
        _warn_of_missing(graphs, target[trained], facts["classes"])
    else:
        facts |= _scales(graphs, target[trained], facts["targets"])
    wide = torch.from_numpy(target)
    targets = [wide[a:b] for a, b in pairwise(rows.tolist())]
    return Survey(graphs, fields_of(graphs, facts, edges), targets, members, facts)


def without_repetitions(graphs: GraphSet, undirected: bool) -> Edges:
    """The edges as the network takes them; those that are repeated have the means of weights and attributes."""
    nodes = int(graphs.starts[-1])
    one = GraphFile(
        graphs.path, np.arange(nodes), np.zeros((nodes, 1), np.float32), graphs.edges, graphs.weight, None, {}
    )
    index, weight, changes = simplified(one, undirected)
    attributes = None
    if graphs.attributes is not None:
        ends, given = graphs.edges, graphs.attributes
        strength = np.ones(ends.shape[1], np.float32) if graphs.weight is None else graphs.weight
        if undirected:
            ends, given, strength = np.hstack([ends, ends[::-1]]), np.vstack([given, given]), np.tile(strength, 2)
        fine, coarse = torch.from_numpy(ends), torch.from_numpy(index)
        attributes = carried(fine, torch.from_numpy(strength), torch.from_numpy(given), coarse, nodes).numpy()
    return Edges(index, weight, attributes, changes)


def fields_of(graphs: GraphSet, facts: Facts, edges: Edges) -> list[GraphField]:
    """What the network sees of each graph.

    Raises:
        InputError: when features are not those of ``facts``.
    """
    _check_features(graphs, facts)
    x = torch.from_numpy(features(graphs, facts, edges))
    attributes = edges.attributes
    if facts["edge_features"]:
        given = np.zeros((0, facts["edge_features"]), np.float32) if attributes is None else attributes
        attributes = normalized(given, facts["edge_normalization"])
    bounds = np.searchsorted(edges.index[0], graphs.starts)
    found = []
    for graph in range(len(graphs)):
        node, edge = slice(*graphs.starts[graph : graph + 2]), slice(*bounds[graph : graph + 2])
        index = torch.from_numpy(edges.index[:, edge] - graphs.starts[graph])
        weight = None if edges.weight is None else torch.from_numpy(edges.weight[edge])
        of_edges = None if attributes is None else torch.from_numpy(np.ascontiguousarray(attributes[edge]))
        found.append(GraphField.of(x[node], index, weight, of_edges))
    return found


def features(graphs: GraphSet, facts: Facts, edges: Edges) -> NDArray[np.float32]:
    """Of all nodes, ``(nodes, facts["features"])``: given features, one-hot tags and one-hot degrees, side by side."""
    columns = []
    if graphs.x is not None:
        columns.append(normalized(graphs.x, facts["normalization"]))
    if facts["tags"] is not None and graphs.tags is not None:
        place = {tag: index for index, tag in enumerate(facts["tags"])}
        index = np.array([place.get(_plain(tag), UNKNOWN) for tag in graphs.tags.tolist()], dtype=np.int64)
        columns.append(index[:, None] == np.arange(len(place)))
    if facts["degrees"] is not None:
        degree = np.bincount(edges.index[1], minlength=int(graphs.starts[-1]))
        columns.append(np.minimum(degree, facts["degrees"])[:, None] == np.arange(facts["degrees"] + 1))
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _plain(tag: Any) -> Any:
    return tag if isinstance(tag, str) else int(tag)


def _inputs(graphs: GraphSet, edges: Edges, config: GraphsTrain) -> Facts:
    """The facts of features: of all graphs, so that the folds of a cross-validation take the same inputs."""
    nodes = int(graphs.starts[-1])
    if not nodes:
        raise InputError(f"{graphs.path}: no graph has a node; there is nothing to learn from")
    tags = None if graphs.tags is None else sorted({_plain(tag) for tag in graphs.tags.tolist()})
    degrees = None
    if config.degrees or (graphs.x is None and tags is None):
        degrees = int(min(MOST_DEGREES, np.bincount(edges.index[1], minlength=nodes).max()))
    given = 0 if graphs.x is None else graphs.x.shape[1]
    found: Facts = {
        "features": given + len(tags or []) + (0 if degrees is None else degrees + 1),
        "given_features": given,
        "feature_names": None if graphs.features is None else list(graphs.features),
        "tags": tags,
        "degrees": degrees,
        "normalization": _normalization(graphs.x, config.normalize_features),
        "edge_features": 0 if edges.attributes is None else edges.attributes.shape[1],
        "edge_normalization": _normalization(edges.attributes, config.normalize_features),
    }
    return found


def _normalization(values: NDArray[np.float32] | None, wanted: str) -> dict[str, Any]:
    if values is None or not len(values):
        return {"kind": "none"}
    if wanted == "auto":
        wanted = "none" if np.isin(values, (0, 1)).all() else "column"
    return normalization(values, wanted)


def _check_features(graphs: GraphSet, facts: Facts) -> None:
    given = 0 if graphs.x is None else graphs.x.shape[1]
    if given != facts["given_features"]:
        raise InputError(
            f"{graphs.path}: nodes have {given} features, but the run was trained on {facts['given_features']}; give "
            "the same"
        )
    if graphs.features is not None and facts["feature_names"] not in (None, list(graphs.features)):
        raise InputError(
            f"{graphs.path}: the features are {listing(graphs.features)}, but the run was trained on "
            f"{listing(facts['feature_names'])}; give the same in the same order"
        )
    if (facts["tags"] is None) != (graphs.tags is None):
        raise InputError(
            f"{graphs.path}: nodes have {'no' if graphs.tags is None else 'a'} node_tag, but those trained on had "
            f"{'none' if facts['tags'] is None else 'one'}; give the same"
        )
    if graphs.tags is not None:
        unseen = sorted({_plain(tag) for tag in graphs.tags.tolist()} - set(facts["tags"]), key=str)
        if unseen:
            remark(f"{graphs.path}: node_tag {listing(list(map(str, unseen)))} was not there in training")
    attributes = 0 if graphs.attributes is None else graphs.attributes.shape[1]
    if attributes != facts["edge_features"] and graphs.edges.shape[1]:
        raise InputError(
            f"{graphs.path}: edges have {attributes} attributes, but the run was trained on {facts['edge_features']}; "
            "give the same"
        )


def _targets(graphs: GraphSet, config: GraphsTrain) -> tuple[NDArray[Any], Facts]:
    assert graphs.y is not None  # read_graphs refuses unlabelled graphs
    if config.task == "regression":
        amounts = quantities(graphs.path, graphs.y, config.level)
        count = amounts.shape[1]
        names = list(graphs.quantities or (["y"] if count == 1 else [f"y{i}" for i in range(count)]))
        return amounts, {"targets": names}
    values = class_values(graphs.path, graphs.y, config.level)
    indices = class_indices(graphs.y, values)
    if config.level == "graph":
        counts = np.bincount(indices[indices != UNKNOWN], minlength=len(values))
        for value, count in zip(values, counts):
            if count == 1:
                name = graphs.ids[int(np.flatnonzero(indices == values.index(value))[0])]
                raise InputError(
                    f"{graphs.path}: class {value} has one graph only, {name}; it cannot be both learnt and scored: "
                    "add graphs of it, or leave its label empty (-1)"
                )
    return indices, {"classes": [str(value) for value in values], "values": values}


def _scales(graphs: GraphSet, trained: NDArray[np.float32], names: list[str]) -> Facts:
    for name, column in zip(names, trained.T):
        measured = column[~np.isnan(column)]
        if not len(measured) or measured.min() == measured.max():
            found = "measured in none of" if not len(measured) else f"{measured[0]:g} in all"
            raise InputError(f"{graphs.path}: {name} is {found} training graphs; there is nothing to learn")
    wide = trained.astype(np.float64)
    return {"centre": np.nanmean(wide, axis=0).tolist(), "scale": np.nanstd(wide, axis=0).tolist()}


def _report(graphs: GraphSet, edges: Edges, undirected: bool, labelled: NDArray[np.bool_]) -> None:
    changes, said = edges.changes, []
    if changes["loops_dropped"]:
        said.append(f"{changes['loops_dropped']} from a node to itself are left out")
    if changes["repetitions_merged"]:
        said.append(f"{changes['repetitions_merged']} are there before and count once")
    one_way = changes["reverses_added"]
    if undirected and one_way and 2 * one_way != changes["used"]:  # all: each edge is listed once, as usual
        said.append(f"{one_way} lead one way, their reverses are added (--no-undirected keeps directions)")
    if said:
        remark(f"{graphs.path}: of {changes['given']} edges {'; '.join(said)}")
    if not labelled.all():
        remark(f"{graphs.path}: {int((~labelled).sum())} of {len(graphs)} graphs have no label")
    empty = int((np.diff(graphs.starts) == 0).sum())
    if empty:
        remark(f"{graphs.path}: {empty} of {len(graphs)} graphs have no node")


def _warn_of_missing(graphs: GraphSet, trained: NDArray[np.int64], classes: list[str]) -> None:
    missing = [name for index, name in enumerate(classes) if not (trained == index).any()]
    if missing:
        remark(f"{graphs.path}: nothing of class {', '.join(missing)} is trained on; it cannot be learnt")


def _digest(graphs: GraphSet, members: Members) -> str:
    digest = hashlib.sha256()
    arrays = [graphs.starts, graphs.x, graphs.tags, graphs.edges, graphs.weight, graphs.attributes, graphs.y]
    for array in (*arrays, *(members[split] for split in SPLITS)):
        if array is not None:
            digest.update(str((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
