"""Checks of graphs before training, and the facts that later steps need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.digest import digest_of
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, describe_choice
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.edges import Edges
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import GraphSetInfo
from multiunet.domains.graph.labels import (
    UNKNOWN,
    find_unlearnable,
    index_classes,
    label_classes,
    list_classes,
    name_quantities,
    read_quantities,
    scale_quantities,
)
from multiunet.domains.graph.options import READ_BY
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.features import describe_inputs, edges_of, fields_of
from multiunet.domains.graph.sets.splits import Members, split_graphs
from multiunet.domains.info import ClassLabels, Quantities, Splits
from multiunet.domains.remarks import remark
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing


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
    info: GraphSetInfo


def source_of(config: GraphsTrain) -> Source:
    """Return how the files of a training, and of its predictions, are read."""
    wanted = None if config.edge_columns is None else tuple(config.edge_columns)
    edges = wanted if config.conv in (None, *READ_BY) else ()
    columns = Columns(config.id_column, config.label_column, config.split_column, edges)
    return Source(columns, config.smiles, config.level, config.task == "regression", skip=config.skip_invalid)


def survey(graphs: GraphSet, config: GraphsTrain) -> Survey:
    """Check all that training needs.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    target, known_target = _targets(graphs, config)
    rows = graphs.starts if config.level == "node" else np.arange(len(graphs) + 1)
    known = target != UNKNOWN if target.ndim == 1 else ~np.isnan(target).all(axis=1)
    labelled = np.array([bool(known[a:b].any()) for a, b in pairwise(rows)], dtype=bool)
    graded = config.task == "classification" and config.level == "graph"
    strata = target if graded else np.zeros(len(graphs), dtype=np.int64)
    members = split_graphs(graphs, labelled, strata, config)
    edges = edges_of(graphs, config.undirected)
    _report(graphs, edges, config.undirected, labelled)
    inputs = describe_inputs(graphs, edges, config)
    fields = fields_of(graphs, inputs, edges)
    coarse_edges = choose_coarse_edges(config, edges.index, int(graphs.starts[-1]))
    if (fewer := describe_choice(config, coarse_edges)) is not None:
        remark(f"{graphs.path}: {fewer}")
    trained = np.concatenate([np.arange(rows[i], rows[i + 1]) for i in members["train"]])
    predicted: ClassLabels | Quantities
    if isinstance(known_target, ClassLabels):
        predicted = known_target
        unlearnt = find_unlearnable(graphs.path, target[trained], predicted.names, config.level)
        if unlearnt is not None:
            remark(unlearnt)
    else:
        predicted = scale_quantities(graphs.path, known_target, target[trained], config.level)
    digests = {graph: hash_field(fields[graph]) for split in SPLITS for graph in members[split].tolist()}
    _report_repeats(graphs, digests, members)
    info = GraphSetInfo(
        target=predicted,
        data=_digest(graphs, members),
        split=Splits(
            **{split: tuple(graphs.ids[graph] for graph in members[split]) for split in SPLITS},
            unlabelled=int((~labelled).sum()),
        ),
        content={digests[graph]: graphs.ids[graph] for split in SPLITS[:2] for graph in members[split].tolist()},
        nodes=int(graphs.starts[-1]),
        edges=edges.changes,
        inputs=inputs,
        coarse_edges=coarse_edges,
        level=config.level,
        smiles=config.smiles is not None,
        graphs=len(graphs),
        largest=int(np.diff(graphs.starts).max()),
        empty=int((np.diff(graphs.starts) == 0).sum()),
    )
    wide = torch.from_numpy(target)
    targets = [wide[a:b] for a, b in pairwise(rows.tolist())]
    return Survey(graphs, fields, targets, members, info)


def _report_repeats(graphs: GraphSet, digests: Mapping[int, str], members: Members) -> None:
    trained = {digests[graph] for graph in members["train"]}
    held_out = [graph for split in SPLITS[1:] for graph in members[split]]
    repeated = [graphs.ids[graph] for graph in held_out if digests[graph] in trained]
    if repeated:
        remark(
            f"{graphs.path}: {len(repeated)} of the {len(held_out)} graphs to validate and test on are the same as "
            f"training graphs: {listing(repeated)}; their scores say nothing of new graphs"
        )


def _targets(graphs: GraphSet, config: GraphsTrain) -> tuple[NDArray[Any], ClassLabels | list[str]]:
    """Return the targets by row, with their classes, or with the names of the quantities."""
    assert graphs.y is not None  # read_graphs refuses unlabelled graphs
    if config.task == "regression":
        amounts = read_quantities(graphs.path, graphs.y, config.level, graphs.place)
        return amounts, name_quantities(graphs.quantities, amounts.shape[1])
    values = list_classes(graphs.path, graphs.y, config.level)
    indices = index_classes(graphs.y, values)
    if config.level == "graph":
        counts = np.bincount(indices[indices != UNKNOWN], minlength=len(values))
        for value, count in zip(values, counts):
            if count == 1:
                name = graphs.ids[int(np.flatnonzero(indices == values.index(value))[0])]
                raise InputError(
                    f"{graphs.path}: class {value} has one graph only, {name}; it cannot be both learnt and scored: "
                    "add graphs of it, or leave its label empty (-1)"
                )
    return indices, label_classes(values)


def _report(graphs: GraphSet, edges: Edges, undirected: bool, labelled: NDArray[np.bool_]) -> None:
    changed = edges.remark(undirected)
    if changed is not None:
        remark(f"{graphs.path}: {changed}")
    if not labelled.all():
        remark(f"{graphs.path}: {int((~labelled).sum())} of {len(graphs)} graphs have no label")
    empty = int((np.diff(graphs.starts) == 0).sum())
    if empty:
        remark(f"{graphs.path}: {empty} of {len(graphs)} graphs have no node")


def _digest(graphs: GraphSet, members: Members) -> str:
    attributes = None if graphs.attributes is None else graphs.attributes.values
    arrays = [graphs.starts, graphs.x, graphs.tags, graphs.edges, graphs.weight, attributes, graphs.y]
    return digest_of([*arrays, *(members[split] for split in SPLITS)])
