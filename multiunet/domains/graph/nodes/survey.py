"""Reading a graph before training: what is wrong with it, and what later steps need to know of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.digest import digest_of
from multiunet.domains.domain import Facts
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, describe_choice
from multiunet.domains.graph.features.degrees import largest, one_hot
from multiunet.domains.graph.features.edges import Edges, attribute_facts, attributes_of, simplified
from multiunet.domains.graph.features.normalization import normalization, normalized
from multiunet.domains.graph.files.attributes import Attributes, align_columns
from multiunet.domains.graph.files.readers import GraphFile, read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.labels import (
    SPLITS,
    UNKNOWN,
    class_indices,
    class_values,
    names_of,
    quantities,
    scales,
    unlearnable,
)
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.splits import Masks, split_masks
from multiunet.domains.graph.options import READ_BY
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing

logger = logging.getLogger("multiunet.graph")

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
    facts: Facts


def survey(config: GraphTrain) -> Survey:
    """Everything that training needs.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    graph = read_graph(config.graph, columns_of(config))
    assert graph.y is not None  # read_graph refuses unlabelled graphs
    known: NDArray[np.bool_]
    if config.task == "classification":
        values = class_values(graph.path, graph.y)
        labels = class_indices(graph.y, values)
        known, strata, target = labels != UNKNOWN, labels, torch.from_numpy(labels)
    else:
        amounts = quantities(graph.path, graph.y, place=graph.place)
        known, target = np.asarray((~np.isnan(amounts)).any(axis=1)), torch.from_numpy(amounts)
        strata = np.zeros(len(known), dtype=np.int64)
    masks = split_masks(graph, known, strata, config)
    edges = edges_of(graph, config.undirected)
    _report(graph, edges, config)
    degrees = largest(edges.index, len(graph.x)) if config.degrees else None
    facts: Facts = {
        "task": config.task,
        "nodes": len(graph.x),
        "edges": edges.changes,
        "features": graph.x.shape[1] + (0 if degrees is None else degrees + 1),
        "given_features": graph.x.shape[1],
        "degrees": degrees,
        "feature_names": None if graph.features is None else list(graph.features),
        "normalization": normalization(graph.x, config.normalize_features),
        **attribute_facts(edges, config.normalize_features),
        "coarse_edges": choose_coarse_edges(config, edges.index, len(graph.x)),
        "split": {split: int(masks[split].sum()) for split in SPLITS} | {"unlabelled": int((~known).sum())},
        "data": _digest(graph, masks),
    }
    if (fewer := describe_choice(config, facts["coarse_edges"])) is not None:
        logger.warning(f"{graph.path}: {fewer}")
    if config.task == "classification":
        facts |= {"classes": [str(value) for value in values], "values": values}
        if (unlearnt := unlearnable(graph.path, labels[masks["train"]], facts["classes"])) is not None:
            logger.warning(unlearnt)
    else:
        names = names_of(graph.quantities, amounts.shape[1])
        facts |= {"targets": names, **scales(graph.path, names, amounts[masks["train"]])}
    return Survey(graph, field_of(graph, facts, edges), target, masks, facts)


def _report(graph: GraphFile, edges: Edges, config: GraphTrain) -> None:
    changed = edges.remark(config.undirected)
    if changed is not None:
        logger.warning(f"{graph.path}: {changed}")
    if graph.unread and config.edge_columns is None:
        logger.warning(
            f"{graph.path}: edges have {listing(graph.unread)}, too, which --conv {config.conv} does not read; "
            f"--conv {' and '.join(READ_BY)} do"
        )
    alone = len(graph.x) - len(np.unique(edges.index))
    if not edges.changes["used"]:
        logger.warning(f"{graph.path}: no edge links two nodes, so a graph network has nothing to go by but features")
    elif alone:
        logger.warning(f"{graph.path}: {alone} of {len(graph.x)} nodes have no edge; their features alone count")
    if graph.x.size and not graph.x.any():
        logger.warning(f"{graph.path}: all features are 0")


def columns_of(config: GraphTrain) -> Columns:
    """What columns of tables are called, and which attributes of edges are wanted."""
    wanted = None if config.edge_columns is None else tuple(config.edge_columns)
    edges = wanted if config.conv in READ_BY else ()
    chosen = None if config.feature_columns is None else tuple(config.feature_columns)
    return Columns(config.id_column, config.label_column, config.split_column, edges, chosen, needed=not config.degrees)


def edges_of(graph: GraphFile, undirected: bool) -> Edges:
    """The edges without loops and repetitions."""
    return simplified(graph.edges, graph.weight, graph.attributes, len(graph.x), undirected)


def field_of(graph: GraphFile, facts: Facts, edges: Edges) -> GraphField:
    """What the network sees of a graph with these edges.

    Raises:
        InputError: when its features, or the attributes of its edges, are not those of ``facts``.
    """
    given, names = graph.x, facts["feature_names"]
    if graph.features is not None and names is not None:
        given = align_columns(graph.path, Attributes(given, graph.features), names, "the run was trained on", "nodes")
    elif given.shape[1] != facts["given_features"]:
        raise InputError(
            f"{graph.path}: has {graph.x.shape[1]} features, but the run was trained on {facts['given_features']}; "
            "give the same"
        )
    seen = normalized(given, facts["normalization"])
    if facts["degrees"] is not None:
        seen = np.concatenate([seen, one_hot(edges.index, len(seen), facts["degrees"])], axis=1)
    x = torch.from_numpy(seen)
    if float((x != 0).float().mean()) < SPARSE_BELOW:
        x = x.to_sparse().coalesce()
    weight, attributes = (
        None if values is None else torch.from_numpy(values)
        for values in (edges.weight, attributes_of(graph.path, edges, facts))
    )
    return GraphField.of(x, torch.from_numpy(edges.index), weight, attributes)


def places_of(graph: GraphFile) -> NDArray[np.float64] | None:
    """Where the nodes are, ``(nodes, 2)``, where two of the features are called ``x`` and ``y``; else None."""
    names = list(graph.features or ())
    if not {"x", "y"} <= set(names):
        return None
    return graph.x[:, [names.index("x"), names.index("y")]].astype(np.float64)


def _digest(graph: GraphFile, masks: Masks) -> str:
    attributes = None if graph.attributes is None else graph.attributes.values
    return digest_of([graph.x, graph.edges, graph.weight, attributes, graph.y, *(masks[split] for split in SPLITS)])
