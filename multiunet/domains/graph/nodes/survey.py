"""Checks of a graph before training, and the facts that later steps need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.digest import digest_of
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, describe_choice
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.degrees import largest, one_hot
from multiunet.domains.graph.features.edges import Edges, describe_attributes, normalize_attributes, simplified
from multiunet.domains.graph.features.normalization import fit_normalization, normalize
from multiunet.domains.graph.files.attributes import Attributes, align_columns
from multiunet.domains.graph.files.readers import GraphFile, read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import FeatureInfo, Inputs, NodeInfo
from multiunet.domains.graph.labels import (
    SPLITS,
    UNKNOWN,
    find_unlearnable,
    index_classes,
    label_classes,
    list_classes,
    name_quantities,
    read_quantities,
    scale_quantities,
)
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.splits import Masks, split_masks
from multiunet.domains.graph.options import READ_BY
from multiunet.domains.info import ClassLabels, Quantities, Splits
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing

SPARSE_BELOW = 0.2
"""Features of which a smaller share is not zero are kept sparse: bags of words train four times faster."""


@dataclass(frozen=True)
class Survey:
    """A graph ready to train on.

    Attributes:
        target: class indices ``(nodes,)`` int64, ``UNKNOWN`` where not known; or quantities ``(nodes, K)`` float32, NaN
            where not measured.
        masks: by split, disjoint, of labelled nodes.
    """

    graph: GraphFile
    field: GraphField
    target: Tensor
    masks: Masks
    info: NodeInfo


def survey(config: GraphTrain) -> Survey:
    """Read and check all that training needs.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    graph = read_graph(config.graph, columns_of(config))
    assert graph.y is not None  # read_graph refuses unlabelled graphs
    known: NDArray[np.bool_]
    if config.task == "classification":
        values = list_classes(graph.path, graph.y)
        labels = index_classes(graph.y, values)
        known, strata, target = labels != UNKNOWN, labels, torch.from_numpy(labels)
    else:
        amounts = read_quantities(graph.path, graph.y, place=graph.place)
        known, target = np.asarray((~np.isnan(amounts)).any(axis=1)), torch.from_numpy(amounts)
        strata = np.zeros(len(known), dtype=np.int64)
    masks = split_masks(graph, known, strata, config)
    edges = edges_of(graph, config.undirected)
    _report(graph, edges, config)
    inputs = describe_inputs(graph, edges, config)
    field = field_of(graph, inputs, edges)
    coarse_edges = choose_coarse_edges(config, edges.index, len(graph.x))
    if (fewer := describe_choice(config, coarse_edges)) is not None:
        remark(f"{graph.path}: {fewer}")
    if config.task == "classification":
        target_info: ClassLabels | Quantities = label_classes(values)
        if (unlearnt := find_unlearnable(graph.path, labels[masks["train"]], target_info.names)) is not None:
            remark(unlearnt)
    else:
        names = name_quantities(graph.quantities, amounts.shape[1])
        target_info = scale_quantities(graph.path, names, amounts[masks["train"]])
    info = NodeInfo(
        target=target_info,
        data=_digest(graph, masks),
        split=Splits(**{split: _ids(graph, masks[split]) for split in SPLITS}, unlabelled=int((~known).sum())),
        content={hash_field(field): graph.path.stem},
        nodes=len(graph.x),
        edges=edges.changes,
        inputs=inputs,
        coarse_edges=coarse_edges,
    )
    return Survey(graph, field, target, masks, info)


def describe_inputs(graph: GraphFile, edges: Edges, config: GraphTrain) -> Inputs:
    """Return the channels that a network reads of each node."""
    degrees = largest(edges.index, len(graph.x)) if config.degrees else None
    given = graph.x.shape[1]
    names = None if graph.features is None else tuple(graph.features)
    return Inputs(
        channels=given + (0 if degrees is None else degrees + 1),
        features=FeatureInfo(
            count=given, names=names, normalization=fit_normalization(graph.x, config.normalize_features)
        ),
        attributes=describe_attributes(edges, config.normalize_features),
        degrees=degrees,
    )


def _ids(graph: GraphFile, mask: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(str(graph.ids[node]) for node in np.flatnonzero(mask))


def _report(graph: GraphFile, edges: Edges, config: GraphTrain) -> None:
    changed = edges.remark(config.undirected)
    if changed is not None:
        remark(f"{graph.path}: {changed}")
    if graph.unread and config.edge_columns is None:
        remark(
            f"{graph.path}: edges have {listing(graph.unread)}, too, which `conv={config.conv}` does not read; "
            f"{' and '.join(f'`conv={name}`' for name in READ_BY)} do"
        )
    alone = len(graph.x) - len(np.unique(edges.index))
    if not edges.changes.used:
        remark(f"{graph.path}: no edge links two nodes, so a graph network has nothing to go by but features")
    elif alone:
        remark(f"{graph.path}: {alone} of {len(graph.x)} nodes have no edge; their features alone count")
    if graph.x.size and not graph.x.any():
        remark(f"{graph.path}: all features are 0")


def columns_of(config: GraphTrain) -> Columns:
    """Return the names of the columns of tables, and which attributes of edges are wanted."""
    wanted = None if config.edge_columns is None else tuple(config.edge_columns)
    edges = wanted if config.conv in READ_BY else ()
    chosen = None if config.feature_columns is None else tuple(config.feature_columns)
    return Columns(config.id_column, config.label_column, config.split_column, edges, chosen, needed=not config.degrees)


def edges_of(graph: GraphFile, undirected: bool) -> Edges:
    """Return the edges without loops and repetitions."""
    return simplified(graph.edges, graph.weight, graph.attributes, len(graph.x), undirected)


def field_of(graph: GraphFile, inputs: Inputs, edges: Edges) -> GraphField:
    """Return what the network sees of a graph with these edges.

    Raises:
        InputError: when its features, or the attributes of its edges, are not those of ``inputs``.
    """
    given, known = graph.x, inputs.features
    if graph.features is not None and known.names is not None:
        features = Attributes(given, graph.features)
        given = align_columns(graph.path, features, list(known.names), "the run was trained on", "nodes")
    elif given.shape[1] != known.count:
        raise InputError(
            f"{graph.path}: has {graph.x.shape[1]} features, but the run was trained on {known.count}; give the same"
        )
    seen = normalize(given, known.normalization)
    if inputs.degrees is not None:
        seen = np.concatenate([seen, one_hot(edges.index, len(seen), inputs.degrees)], axis=1)
    x = torch.from_numpy(seen)
    if float((x != 0).float().mean()) < SPARSE_BELOW:
        x = x.to_sparse().coalesce()
    weight, attributes = (
        None if values is None else torch.from_numpy(values)
        for values in (edges.weight, normalize_attributes(graph.path, edges, inputs.attributes))
    )
    return GraphField.of(x, torch.from_numpy(edges.index), weight, attributes)


def places_of(graph: GraphFile) -> NDArray[np.float64] | None:
    """Return the features ``x`` and ``y`` as places of the nodes, ``(nodes, 2)``; None without them."""
    names = list(graph.features or ())
    if not {"x", "y"} <= set(names):
        return None
    return graph.x[:, [names.index("x"), names.index("y")]].astype(np.float64)


def _digest(graph: GraphFile, masks: Masks) -> str:
    attributes = None if graph.attributes is None else graph.attributes.values
    return digest_of([graph.x, graph.edges, graph.weight, attributes, graph.y, *(masks[split] for split in SPLITS)])
