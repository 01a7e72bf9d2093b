"""Reading a graph before training: what is wrong with it, and what later steps need to know of it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.domain import Facts
from multiunet.domains.graph.config import GraphTrain
from multiunet.domains.graph.labels import SPLITS, UNKNOWN, Masks, class_indices, class_values, quantities, split_masks
from multiunet.domains.graph.readers import GraphFile, read_graph
from multiunet.domains.graph.tables import Columns
from multiunet.errors import InputError
from multiunet.geometries.graph_field import GraphField

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
        amounts = quantities(graph.path, graph.y)
        known, target = np.asarray((~np.isnan(amounts)).any(axis=1)), torch.from_numpy(amounts)
        strata = np.zeros(len(known), dtype=np.int64)
    masks = split_masks(graph, known, strata, config)
    _, _, links = simplified(graph, config.undirected)
    _report_edges(graph, links, config.undirected)
    if not links["used"]:
        logger.warning(f"{graph.path}: no edge links two nodes, so a graph network has nothing to go by but features")
    if not graph.x.any():
        logger.warning(f"{graph.path}: all features are 0")
    facts: Facts = {
        "task": config.task,
        "nodes": len(graph.x),
        "edges": links,
        "features": graph.x.shape[1],
        "feature_names": None if graph.features is None else list(graph.features),
        "normalization": normalization(graph.x, config.normalize_features),
        "split": {split: int(masks[split].sum()) for split in SPLITS} | {"unlabelled": int((~known).sum())},
        "data": _digest(graph, masks),
    }
    if config.task == "classification":
        facts |= {"classes": [str(value) for value in values], "values": values}
        _warn_of_missing(graph, labels[masks["train"]], facts["classes"])
    else:
        facts |= _targets(graph, amounts[masks["train"]])
    return Survey(graph, field_of(graph, facts, config.undirected), target, masks, facts)


def _report_edges(graph: GraphFile, links: dict[str, int], undirected: bool) -> None:
    changed = []
    if links["loops_dropped"]:
        changed.append(f"{links['loops_dropped']} from a node to itself are left out")
    if links["repetitions_merged"]:
        rule = "" if graph.weight is None else ", with the mean of their weights"
        changed.append(f"{links['repetitions_merged']} repeat earlier ones and count once{rule}")
    one_way = links["reverses_added"]
    if undirected and one_way and 2 * one_way != links["used"]:  # all: each edge is listed once, as usual
        changed.append(f"{one_way} lead one way, their reverses are added (--no-undirected keeps directions)")
    if changed:
        logger.warning(f"{graph.path}: of {links['given']} edges {'; '.join(changed)}")
    alone = len(graph.x) - len(np.unique(graph.edges[:, graph.edges[0] != graph.edges[1]]))
    if 0 < alone < len(graph.x):
        logger.warning(f"{graph.path}: {alone} of {len(graph.x)} nodes have no edge; their features alone count")


def columns_of(config: GraphTrain) -> Columns:
    """What the columns of nodes.csv are called."""
    return Columns(config.id_column, config.label_column, config.split_column)


def field_of(graph: GraphFile, facts: Facts, undirected: bool) -> GraphField:
    """What the network sees of a graph.

    Raises:
        InputError: when its features are not those of ``facts``.
    """
    names = None if graph.features is None else list(graph.features)
    if graph.x.shape[1] != facts["features"]:
        raise InputError(
            f"{graph.path}: has {graph.x.shape[1]} features, but the run was trained on {facts['features']}; "
            "give the same"
        )
    if names is not None and facts["feature_names"] is not None and names != facts["feature_names"]:
        different = next((a, b) for a, b in zip(names, facts["feature_names"]) if a != b)
        raise InputError(
            f"{graph.path}: has the feature {different[0]!r} where the run was trained on {different[1]!r}; give the "
            "same features in the same order"
        )
    edges, weight, _ = simplified(graph, undirected)
    x = torch.from_numpy(normalized(graph.x, facts["normalization"]))
    if float((x != 0).float().mean()) < SPARSE_BELOW:
        x = x.to_sparse().coalesce()
    return GraphField.of(x, torch.from_numpy(edges), None if weight is None else torch.from_numpy(weight))


def places_of(graph: GraphFile) -> NDArray[np.float64] | None:
    """Where the nodes are, ``(nodes, 2)``, where two of the features are called ``x`` and ``y``; else None."""
    names = list(graph.features or ())
    if not {"x", "y"} <= set(names):
        return None
    return graph.x[:, [names.index("x"), names.index("y")]].astype(np.float64)


def simplified(
    graph: GraphFile, undirected: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None, dict[str, int]]:
    """Edges without loops and repetitions (the weight of repeated ones is their mean), and what was changed."""
    given, nodes = graph.edges.shape[1], len(graph.x)
    proper = graph.edges[0] != graph.edges[1]
    source, target = graph.edges[:, proper]
    weight = np.ones(len(source)) if graph.weight is None else graph.weight[proper].astype(np.float64)
    loops = given - len(source)
    distinct = len(np.unique(source * nodes + target))
    repeated = len(source) - distinct
    if undirected:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
        weight = np.concatenate([weight, weight])
    codes, where = np.unique(source * nodes + target, return_inverse=True)
    mean = np.bincount(where, weight, len(codes)) / np.maximum(np.bincount(where, minlength=len(codes)), 1)
    changes = {
        "given": given,
        "loops_dropped": loops,
        "repetitions_merged": repeated,
        "reverses_added": len(codes) - distinct,
        "used": len(codes),
    }
    edges = np.stack([codes // nodes, codes % nodes]).astype(np.int64)
    return edges, None if graph.weight is None else mean.astype(np.float32), changes


def normalized(x: NDArray[np.float32], how: dict[str, Any]) -> NDArray[np.float32]:
    """Features as the network sees them; ``how``: the fact ``normalization``."""
    if how["kind"] == "row":
        sums = np.abs(x).sum(axis=1, keepdims=True)
        x = (x / np.where(sums > 0, sums, 1.0)).astype(np.float32)
    if how["kind"] == "column":
        x = ((x - np.array(how["mean"])) / np.array(how["deviation"])).astype(np.float32)
    return x


def normalization(x: NDArray[np.float32], wanted: str) -> dict[str, Any]:
    """The fact ``normalization``: what is wanted, with the means and deviations of ``x`` where columns need them."""
    if wanted == "auto":
        # a single count divided by itself would say nothing
        counts = bool(x.shape[1] > 1 and (x >= 0).all() and (x == np.floor(x)).all())
        wanted = "row" if counts else "column"
    if wanted != "column":
        return {"kind": wanted}
    deviation = x.std(axis=0, dtype=np.float64)
    return {
        "kind": "column",
        "mean": x.mean(axis=0, dtype=np.float64).tolist(),
        "deviation": np.where(deviation > 0, deviation, 1.0).tolist(),
    }


def _targets(graph: GraphFile, trained: NDArray[np.float32]) -> Facts:
    count = trained.shape[1]
    names = list(graph.quantities or (["y"] if count == 1 else [f"y{i}" for i in range(count)]))
    for name, column in zip(names, trained.T):
        measured = column[~np.isnan(column)]
        if not len(measured):
            raise InputError(f"{graph.path}: {name} is measured at no training node; there is nothing to learn")
        if measured.min() == measured.max():
            raise InputError(
                f"{graph.path}: {name} is {measured[0]:g} at all training nodes; there is nothing to learn"
            )
    wide = trained.astype(np.float64)
    return {
        "targets": names,
        "centre": np.nanmean(wide, axis=0).tolist(),
        "scale": np.nanstd(wide, axis=0).tolist(),
    }


def _warn_of_missing(graph: GraphFile, trained: NDArray[np.int64], classes: list[str]) -> None:
    missing = [name for index, name in enumerate(classes) if not (trained == index).any()]
    if missing:
        logger.warning(f"{graph.path}: no training node is of class {', '.join(missing)}; it cannot be learnt")


def _digest(graph: GraphFile, masks: Masks) -> str:
    digest = hashlib.sha256()
    arrays = [graph.x, graph.edges, graph.weight, graph.y, *(masks[split] for split in SPLITS)]
    for array in arrays:
        if array is not None:
            digest.update(str((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
