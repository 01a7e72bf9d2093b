"""Inputs of networks of many graphs: features of nodes, and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.graph.features.degrees import largest, one_hot
from multiunet.domains.graph.features.edges import Edges, describe_attributes, normalize_attributes, simplified
from multiunet.domains.graph.features.normalization import fit_standardisation, normalize
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.info import FeatureInfo, Inputs
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing


def edges_of(graphs: GraphSet, undirected: bool) -> Edges:
    """Return the edges of all graphs without loops and repetitions; graphs ascending."""
    return simplified(graphs.edges, graphs.weight, graphs.attributes, int(graphs.starts[-1]), undirected)


def fields_of(graphs: GraphSet, inputs: Inputs, edges: Edges) -> list[GraphField]:
    """Return what the network sees of each graph.

    Raises:
        InputError: when features, or attributes of edges, are not those of ``inputs``.
    """
    _check_features(graphs, inputs)
    x = torch.from_numpy(features(graphs, inputs, edges))
    attributes = normalize_attributes(graphs.path, edges, inputs.attributes)
    bounds = np.searchsorted(edges.index[0], graphs.starts)
    found = []
    for graph in range(len(graphs)):
        node, edge = slice(*graphs.starts[graph : graph + 2]), slice(*bounds[graph : graph + 2])
        index = torch.from_numpy(edges.index[:, edge] - graphs.starts[graph])
        weight = None if edges.weight is None else torch.from_numpy(edges.weight[edge])
        of_edges = None if attributes is None else torch.from_numpy(attributes[edge])
        found.append(GraphField.of(x[node], index, weight, of_edges))
    return found


def features(graphs: GraphSet, inputs: Inputs, edges: Edges) -> NDArray[np.float32]:
    """Return features, one-hot tags and degrees of all nodes side by side, ``(nodes, channels)``."""
    columns = []
    if graphs.x is not None:
        columns.append(normalize(graphs.x, inputs.features.normalization))
    if inputs.tags is not None and graphs.tags is not None:
        place = {tag: index for index, tag in enumerate(inputs.tags)}
        index = np.array([place.get(_plain(tag), UNKNOWN) for tag in graphs.tags.tolist()], dtype=np.int64)
        columns.append(index[:, None] == np.arange(len(place)))
    if inputs.degrees is not None:
        columns.append(one_hot(edges.index, int(graphs.starts[-1]), inputs.degrees))
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _plain(tag: Any) -> Any:
    return tag if isinstance(tag, str) else int(tag)


def describe_inputs(graphs: GraphSet, edges: Edges, config: GraphsTrain) -> Inputs:
    """Return the channels that a network reads of each node.

    They are those of all graphs, so that the folds of a cross-validation take the same inputs.

    Raises:
        InputError: where no graph has a node.
    """
    nodes = int(graphs.starts[-1])
    if not nodes:
        raise InputError(f"{graphs.path}: no graph has a node; there is nothing to learn from")
    tags = None if graphs.tags is None else tuple(sorted({_plain(tag) for tag in graphs.tags.tolist()}))
    degrees = None
    if config.degrees or (graphs.x is None and tags is None):
        degrees = largest(edges.index, nodes)
    given = 0 if graphs.x is None else graphs.x.shape[1]
    names = None if graphs.features is None else tuple(graphs.features)
    return Inputs(
        channels=given + len(tags or ()) + (0 if degrees is None else degrees + 1),
        features=FeatureInfo(
            count=given, names=names, normalization=fit_standardisation(graphs.x, config.normalize_features)
        ),
        attributes=describe_attributes(edges, config.normalize_features),
        tags=tags,
        degrees=degrees,
    )


def _check_features(graphs: GraphSet, inputs: Inputs) -> None:
    given, known = 0 if graphs.x is None else graphs.x.shape[1], inputs.features
    if given != known.count:
        raise InputError(
            f"{graphs.path}: nodes have {given} features, but the run was trained on {known.count}; give the same"
        )
    if graphs.features is not None and known.names not in (None, tuple(graphs.features)):
        raise InputError(
            f"{graphs.path}: the features are {listing(graphs.features)}, but the run was trained on "
            f"{listing(known.names or ())}; give the same in the same order"
        )
    if (inputs.tags is None) != (graphs.tags is None):
        raise InputError(
            f"{graphs.path}: nodes have {'no' if graphs.tags is None else 'a'} node_tag, but those trained on had "
            f"{'none' if inputs.tags is None else 'one'}; give the same"
        )
    if graphs.tags is not None:
        unseen = sorted({_plain(tag) for tag in graphs.tags.tolist()} - set(inputs.tags or ()), key=str)
        if unseen:
            remark(f"{graphs.path}: node_tag {listing(list(map(str, unseen)))} was not there in training")
