"""What networks see of graphs: features of nodes, and edges."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.graph.features.degrees import largest, one_hot
from multiunet.domains.graph.features.edges import Edges, attribute_facts, attributes_of, simplified
from multiunet.domains.graph.features.normalization import normalized, standardisation
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing

logger = logging.getLogger("multiunet.graphs")


def edges_of(graphs: GraphSet, undirected: bool) -> Edges:
    """The edges of all graphs without loops and repetitions; graphs ascending."""
    return simplified(graphs.edges, graphs.weight, graphs.attributes, int(graphs.starts[-1]), undirected)


def fields_of(graphs: GraphSet, facts: Facts, edges: Edges) -> list[GraphField]:
    """What the network sees of each graph.

    Raises:
        InputError: when features, or attributes of edges, are not those of ``facts``.
    """
    _check_features(graphs, facts)
    x = torch.from_numpy(features(graphs, facts, edges))
    attributes = attributes_of(graphs.path, edges, facts)
    bounds = np.searchsorted(edges.index[0], graphs.starts)
    found = []
    for graph in range(len(graphs)):
        node, edge = slice(*graphs.starts[graph : graph + 2]), slice(*bounds[graph : graph + 2])
        index = torch.from_numpy(edges.index[:, edge] - graphs.starts[graph])
        weight = None if edges.weight is None else torch.from_numpy(edges.weight[edge])
        of_edges = None if attributes is None else torch.from_numpy(attributes[edge])
        found.append(GraphField.of(x[node], index, weight, of_edges))
    return found


def fingerprint(field: GraphField) -> bytes:
    """That two graphs share where nodes, in their order, and edges are the same."""
    digest = hashlib.sha256()
    for part in (field.x, field.edge_index, field.edge_weight, field.edge_attr):
        if part is not None:
            digest.update(str(tuple(part.shape)).encode() + part.contiguous().numpy().tobytes())
    return digest.digest()


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
        columns.append(one_hot(edges.index, int(graphs.starts[-1]), facts["degrees"]))
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _plain(tag: Any) -> Any:
    return tag if isinstance(tag, str) else int(tag)


def inputs(graphs: GraphSet, edges: Edges, config: GraphsTrain) -> Facts:
    """The facts of features: of all graphs, so that the folds of a cross-validation take the same inputs."""
    nodes = int(graphs.starts[-1])
    if not nodes:
        raise InputError(f"{graphs.path}: no graph has a node; there is nothing to learn from")
    tags = None if graphs.tags is None else sorted({_plain(tag) for tag in graphs.tags.tolist()})
    degrees = None
    if config.degrees or (graphs.x is None and tags is None):
        degrees = largest(edges.index, nodes)
    given = 0 if graphs.x is None else graphs.x.shape[1]
    found: Facts = {
        "features": given + len(tags or []) + (0 if degrees is None else degrees + 1),
        "given_features": given,
        "feature_names": None if graphs.features is None else list(graphs.features),
        "tags": tags,
        "degrees": degrees,
        "normalization": standardisation(graphs.x, config.normalize_features),
        **attribute_facts(edges, config.normalize_features),
    }
    return found


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
            logger.warning(f"{graphs.path}: node_tag {listing(list(map(str, unseen)))} was not there in training")
