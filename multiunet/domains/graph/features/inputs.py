"""Inputs of networks of graphs: features of nodes, and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.graph.features.degrees import largest, one_hot
from multiunet.domains.graph.features.edges import Edges, describe_attributes, normalize_attributes, simplified
from multiunet.domains.graph.features.normalization import normalize
from multiunet.domains.graph.features.positions import encode_positions
from multiunet.domains.graph.files.attributes import Attributes, align_columns
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.given import Given
from multiunet.domains.graph.info import FeatureInfo, Inputs, Normalization, Positions
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing

SPARSE_BELOW = 0.2
"""Features of which a smaller share is not zero are kept sparse: bags of words train four times faster."""


def edges_of(given: Given, undirected: bool) -> Edges:
    """Return the edges without loops and repetitions, sources ascending."""
    return simplified(given.edges, given.weight, given.attributes, given.count, undirected)


def describe_inputs(
    given: Given,
    edges: Edges,
    degrees: bool,
    normalization: Normalization,
    wanted: str,
    positions: Positions | None = None,
) -> Inputs:
    """Return the channels that a network reads of each node.

    They are those of all graphs, so that the folds of a cross-validation take the same inputs.

    Args:
        degrees: use degrees beside other features; without others they are used in any case.
        normalization: of features.
        wanted: normalisation of attributes of edges.
        positions: of nodes in their graph that are used beside them; None: none.

    Raises:
        InputError: where there is no node.
    """
    if not given.count:
        raise InputError(f"{given.path}: no graph has a node; there is nothing to learn from")
    tags = None if given.tags is None else tuple(sorted({_plain(tag) for tag in given.tags.tolist()}))
    degrees = degrees or (given.x is None and tags is None)
    most = largest(edges.index, given.count) if degrees else None
    features = 0 if given.x is None else given.x.shape[1]
    names = None if given.features is None else tuple(given.features)
    return Inputs(
        channels=features + len(tags or ()) + (0 if most is None else most + 1) + (positions.count if positions else 0),
        features=FeatureInfo(count=features, names=names, normalization=normalization),
        attributes=describe_attributes(edges, wanted),
        tags=tags,
        degrees=most,
        positions=positions,
    )


def field_of(given: Given, inputs: Inputs, edges: Edges) -> GraphField:
    """Return what the network sees of all nodes, as one graph.

    Raises:
        InputError: when features, or attributes of edges, are not those of ``inputs``.
    """
    x = torch.from_numpy(_features(given, inputs, edges))
    if float((x != 0).float().mean()) < SPARSE_BELOW:
        x = x.to_sparse().coalesce()
    weight, attributes = (
        None if values is None else torch.from_numpy(values)
        for values in (edges.weight, normalize_attributes(given.path, edges, inputs.attributes))
    )
    return GraphField.of(x, torch.from_numpy(edges.index), weight, attributes)


def fields_of(graphs: GraphSet, inputs: Inputs, edges: Edges) -> list[GraphField]:
    """Return what the network sees of each graph.

    Raises:
        InputError: when features, or attributes of edges, are not those of ``inputs``.
    """
    x = torch.from_numpy(_features(graphs, inputs, edges))
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


def _features(given: Given, inputs: Inputs, edges: Edges) -> NDArray[np.float32]:
    """Return features, one-hot tags, degrees and positions of all nodes side by side, ``(nodes, channels)``."""
    columns: list[NDArray[Any]] = []
    x = _aligned(given, inputs.features)
    if x is not None:
        columns.append(normalize(x, inputs.features.normalization))
    if (inputs.tags is None) != (given.tags is None):
        raise InputError(
            f"{given.path}: nodes have {'no' if given.tags is None else 'a'} node_tag, but those trained on had "
            f"{'none' if inputs.tags is None else 'one'}; give the same"
        )
    if inputs.tags is not None and given.tags is not None:
        columns.append(_one_hot_tags(given, inputs.tags, given.tags))
    if inputs.degrees is not None:
        columns.append(one_hot(edges.index, given.count, inputs.degrees))
    if inputs.positions is not None:
        starts = given.starts if isinstance(given, GraphSet) else np.array([0, given.count])
        columns.append(encode_positions(given.path, inputs.positions, edges.index, edges.weight, starts))
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _aligned(given: Given, known: FeatureInfo) -> NDArray[np.float32] | None:
    """Return the features in the order of those trained on; None where there are none."""
    count = 0 if given.x is None else given.x.shape[1]
    if given.x is not None and given.features is not None and known.names is not None:
        if given.features == known.names:
            return given.x
        features = Attributes(given.x, given.features)
        return align_columns(given.path, features, list(known.names), "the run was trained on", "nodes")
    if count != known.count:
        raise InputError(
            f"{given.path}: nodes have {count} features, but the run was trained on {known.count}; give the same"
        )
    return given.x


def _one_hot_tags(given: Given, known: tuple[Any, ...], tags: NDArray[Any]) -> NDArray[np.bool_]:
    place = {tag: index for index, tag in enumerate(known)}
    words = [_plain(tag) for tag in tags.tolist()]
    unseen = sorted({*words} - {*known}, key=str)
    if unseen:
        remark(f"{given.path}: node_tag {listing(list(map(str, unseen)))} was not there in training")
    index = np.array([place.get(tag, UNKNOWN) for tag in words], dtype=np.int64)
    found: NDArray[np.bool_] = index[:, None] == np.arange(len(place))
    return found


def _plain(tag: Any) -> Any:
    return tag if isinstance(tag, str) else int(tag)
