"""Checks of graphs before training, and the facts that later steps need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.digest import digest_of
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, describe_choice
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.edges import Edges
from multiunet.domains.graph.features.inputs import describe_inputs, edges_of, fields_of
from multiunet.domains.graph.features.normalization import fit_standardisation
from multiunet.domains.graph.features.positions import wanted_positions
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import GraphSetInfo
from multiunet.domains.graph.options import READ_BY
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.splits import Members, find_groups, split_graphs
from multiunet.domains.graph.targets import Targets, targets_of
from multiunet.domains.info import Splits
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
    columns = Columns(
        config.id_column, tuple(config.label_column), config.split_column, edges, group=config.group_column
    )
    quantities = config.task == "regression"
    return Source(columns, config.smiles, config.level, quantities, skip=config.skip_invalid, scaffold=config.scaffold)


def survey(graphs: GraphSet, config: GraphsTrain) -> Survey:
    """Check all that training needs.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    targets = targets_of(graphs, config.task, config.level)
    if config.level == "graph":
        _check_classes(graphs, targets)
    rows = graphs.starts if config.level == "node" else np.arange(len(graphs) + 1)
    labelled = np.array([bool(targets.known[a:b].any()) for a, b in pairwise(rows)], dtype=bool)
    strata = targets.strata if config.level == "graph" else np.zeros(len(graphs), dtype=np.int64)
    groups = find_groups(graphs, config)
    members = split_graphs(graphs, labelled, strata, groups, config)
    edges = edges_of(graphs, config.undirected)
    _report(graphs, edges, config.undirected, labelled)
    normalization = fit_standardisation(graphs.x, config.normalize_features)
    positions = wanted_positions(config)
    inputs = describe_inputs(graphs, edges, config.degrees, normalization, config.normalize_features, positions)
    fields = fields_of(graphs, inputs, edges)
    coarse_edges = choose_coarse_edges(config, edges.index, graphs.count)
    if (fewer := describe_choice(config, coarse_edges)) is not None:
        remark(f"{graphs.path}: {fewer}")
    trained = np.concatenate([np.arange(rows[i], rows[i + 1]) for i in members["train"]])
    digests = {graph: hash_field(fields[graph]) for split in SPLITS for graph in members[split].tolist()}
    _report_repeats(graphs, digests, members)
    info = GraphSetInfo(
        target=targets.fit(trained),
        data=_digest(graphs, members),
        split=Splits(
            **{split: tuple(graphs.ids[graph] for graph in members[split]) for split in SPLITS},
            unlabelled=int((~labelled).sum()),
        ),
        content={digests[graph]: graphs.ids[graph] for split in SPLITS[:2] for graph in members[split].tolist()},
        nodes=graphs.count,
        edges=edges.changes,
        inputs=inputs,
        coarse_edges=coarse_edges,
        level=config.level,
        smiles=config.smiles is not None,
        graphs=len(graphs),
        largest=int(np.diff(graphs.starts).max()),
        empty=int((np.diff(graphs.starts) == 0).sum()),
        together={graphs.ids[i]: group for i, group in enumerate(groups or []) if group is not None and labelled[i]},
    )
    wide = torch.from_numpy(targets.values)
    return Survey(graphs, fields, [wide[a:b] for a, b in pairwise(rows.tolist())], members, info)


def _report_repeats(graphs: GraphSet, digests: Mapping[int, str], members: Members) -> None:
    trained = {digests[graph] for graph in members["train"]}
    held_out = [graph for split in SPLITS[1:] for graph in members[split]]
    repeated = [graphs.ids[graph] for graph in held_out if digests[graph] in trained]
    if repeated:
        remark(
            f"{graphs.path}: {len(repeated)} of the {len(held_out)} graphs to validate and test on are the same as "
            f"training graphs: {listing(repeated)}; their scores say nothing of new graphs"
        )


def _check_classes(graphs: GraphSet, targets: Targets) -> None:
    """Check that no class is that of one graph alone."""
    if targets.classes is None:
        return
    counts = np.bincount(targets.values[targets.known], minlength=len(targets.classes.values))
    for index, value in enumerate(targets.classes.values):
        if counts[index] == 1:
            name = graphs.ids[int(np.flatnonzero(targets.values == index)[0])]
            raise InputError(
                f"{graphs.path}: class {value} has one graph only, {name}; it cannot be both learnt and scored: "
                "add graphs of it, or leave its label empty (-1)"
            )


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
