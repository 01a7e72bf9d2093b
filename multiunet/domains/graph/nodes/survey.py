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
from multiunet.domains.graph.features.edges import Edges
from multiunet.domains.graph.features.inputs import describe_inputs, edges_of, field_of
from multiunet.domains.graph.features.normalization import fit_normalization
from multiunet.domains.graph.features.positions import wanted_positions
from multiunet.domains.graph.files.readers import GraphFile, read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import NodeInfo
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.splits import Masks, split_masks
from multiunet.domains.graph.options import READ_BY
from multiunet.domains.graph.targets import targets_of
from multiunet.domains.info import Splits
from multiunet.domains.remarks import remark
from multiunet.domains.splits import SPLITS
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing


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
    targets = targets_of(graph, config.task)
    masks = split_masks(graph, targets.known, targets.strata, config)
    edges = edges_of(graph, config.undirected)
    _report(graph, edges, config)
    normalization = fit_normalization(graph.x, config.normalize_features)
    positions = wanted_positions(config)
    inputs = describe_inputs(graph, edges, config.degrees, normalization, config.normalize_features, positions)
    field = field_of(graph, inputs, edges)
    coarse_edges = choose_coarse_edges(config, edges.index, graph.count)
    if (fewer := describe_choice(config, coarse_edges)) is not None:
        remark(f"{graph.path}: {fewer}")
    info = NodeInfo(
        target=targets.fit(masks["train"]),
        data=_digest(graph, masks),
        split=Splits(**{split: _ids(graph, masks[split]) for split in SPLITS}, unlabelled=int((~targets.known).sum())),
        content={hash_field(field): graph.path.stem},
        nodes=graph.count,
        edges=edges.changes,
        inputs=inputs,
        coarse_edges=coarse_edges,
    )
    return Survey(graph, field, torch.from_numpy(targets.values), masks, info)


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
    alone = int(np.count_nonzero(np.bincount(edges.index.reshape(-1), minlength=len(graph.x)) == 0))
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
    return Columns(
        config.id_column, tuple(config.label_column), config.split_column, edges, chosen, needed=not config.degrees
    )


def places_of(graph: GraphFile) -> NDArray[np.float64] | None:
    """Return the features ``x`` and ``y`` as places of the nodes, ``(nodes, 2)``; None without them."""
    names = list(graph.features or ())
    if not {"x", "y"} <= set(names):
        return None
    return graph.x[:, [names.index("x"), names.index("y")]].astype(np.float64)


def _digest(graph: GraphFile, masks: Masks) -> str:
    attributes = None if graph.attributes is None else graph.attributes.values
    return digest_of([graph.x, graph.edges, graph.weight, attributes, graph.y, *(masks[split] for split in SPLITS)])
