"""Reading graphs before training: what is wrong with them, and what later steps need to know of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.digest import digest_of
from multiunet.domains.domain import Facts
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, describe_choice
from multiunet.domains.graph.features.edges import Edges
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.labels import (
    UNKNOWN,
    class_indices,
    class_values,
    names_of,
    quantities,
    scales,
    unlearnable,
)
from multiunet.domains.graph.options import READ_BY
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.features import edges_of, fields_of, fingerprint, inputs
from multiunet.domains.graph.sets.splits import Members, split_graphs
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import listing

logger = logging.getLogger("multiunet.graphs")


@cache
def remark(text: str) -> None:
    """Warns, unless exactly this was said before: the folds of a cross-validation look at the same graphs."""
    logger.warning("%s", text)


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


def source_of(config: GraphsTrain) -> Source:
    """How the files of a training, and of its predictions, are read."""
    wanted = None if config.edge_columns is None else tuple(config.edge_columns)
    edges = wanted if config.conv in (None, *READ_BY) else ()
    columns = Columns(config.id_column, config.label_column, config.split_column, edges)
    return Source(columns, config.smiles, config.level, config.task == "regression", skip=config.skip_invalid)


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
    edges = edges_of(graphs, config.undirected)
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
        **inputs(graphs, edges, config),
        "coarse_edges": choose_coarse_edges(config, edges.index, int(graphs.starts[-1])),
        "split": {split: len(members[split]) for split in SPLITS} | {"unlabelled": int((~labelled).sum())},
        "data": _digest(graphs, members),
        **of_target,
    }
    if (fewer := describe_choice(config, facts["coarse_edges"])) is not None:
        remark(f"{graphs.path}: {fewer}")
    trained = np.concatenate([np.arange(rows[i], rows[i + 1]) for i in members["train"]])
    if config.task == "classification":
        if (unlearnt := unlearnable(graphs.path, target[trained], facts["classes"], config.level)) is not None:
            remark(unlearnt)
    else:
        facts |= scales(graphs.path, facts["targets"], target[trained], config.level)
    wide = torch.from_numpy(target)
    targets = [wide[a:b] for a, b in pairwise(rows.tolist())]
    fields = fields_of(graphs, facts, edges)
    _report_repeats(graphs, fields, members)
    return Survey(graphs, fields, targets, members, facts)


def _report_repeats(graphs: GraphSet, fields: Sequence[GraphField], members: Members) -> None:
    trained = {fingerprint(fields[graph]) for graph in members["train"]}
    held_out = [graph for split in SPLITS[1:] for graph in members[split]]
    repeated = [graphs.ids[graph] for graph in held_out if fingerprint(fields[graph]) in trained]
    if repeated:
        remark(
            f"{graphs.path}: {len(repeated)} of the {len(held_out)} graphs to validate and test on are the same as "
            f"training graphs: {listing(repeated)}; their scores say nothing of new graphs"
        )


def _targets(graphs: GraphSet, config: GraphsTrain) -> tuple[NDArray[Any], Facts]:
    assert graphs.y is not None  # read_graphs refuses unlabelled graphs
    if config.task == "regression":
        amounts = quantities(graphs.path, graphs.y, config.level, graphs.place)
        return amounts, {"targets": names_of(graphs.quantities, amounts.shape[1])}
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
