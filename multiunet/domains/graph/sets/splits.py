"""Splits of many graphs into training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.sets.chance import EachAlone, Together
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.groups import check_together, group_names, warn_of_parted
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS, read_splits
from multiunet.domains.units import gather_units
from multiunet.errors import InputError
from multiunet.wording import counted, listing

Members = dict[Split, NDArray[np.int64]]
"""Numbers of graphs, ascending; no graph is in two."""


def split_graphs(
    graphs: GraphSet,
    known: NDArray[np.bool_],
    strata: NDArray[np.int64],
    groups: Sequence[str | None] | None,
    config: GraphsTrain,
) -> Members:
    """Labelled graphs by split: as the data or a file of lists say, by folds, or seeded fractions.

    Args:
        known: which graphs have a label.
        strata: folds and fractions are taken of each of these groups of graphs alike. Of graphs that stay together with
            others, training keeps one of each stratum at least, where it can.
        groups: of each graph, see ``find_groups``.

    Raises:
        InputError: for several ways at once, lists that do not fit the graphs, empty splits, or splits that part what
            belongs together.
    """
    ways = {"`splits`": config.splits, "`folds`": config.folds, "splits of its own": graphs.splits}
    given = [name for name, way in ways.items() if way is not None]
    if len(given) > 1:
        raise InputError(f"{graphs.path}: {' and '.join(given)} both say how to split; use one")
    alone = EachAlone(known, strata, config.seed)
    drawn = alone if groups is None else Together(known, strata, groups, config.seed)
    words = np.full(len(graphs), "", dtype="<U5")
    if graphs.splits is not None:
        words = graphs.splits.copy()
    elif config.splits is not None:
        words = _listed(graphs, config.splits)
    elif config.folds is not None and config.fold is not None:
        words[:] = "train"
        words[drawn.fold(config.folds, config.fold)] = "test"
    else:
        words[:] = "train"
        drawn.carve(words, "test", config.test_fraction)
    words[~known] = ""
    if not (words == "val").any():
        drawn.carve(words, "val", config.val_fraction)
    for split in SPLITS[:2]:
        if not (words == split).any():
            raise InputError(
                f"{graphs.path}: no labelled graph is left to {'train' if split == 'train' else 'validate'} on "
                f"({int(known.sum())} of {len(graphs)} are labelled{_of_groups(groups, known)}); give more, or another "
                "split"
            )
    members = {split: np.flatnonzero(words == split) for split in SPLITS}
    if groups is not None:
        check_together(
            str(graphs.path),
            {split: [(graphs.ids[i], groups[i]) for i in own.tolist()] for split, own in members.items()},
        )
    elif config.splits is None and graphs.splits is None:
        warn_of_parted(graphs.path, "graph", {split: [graphs.ids[i] for i in own] for split, own in members.items()})
    return members


def _listed(graphs: GraphSet, where: str) -> NDArray[np.str_]:
    lists, number = read_splits(where, "ids"), {name: place for place, name in enumerate(graphs.ids)}
    words = np.full(len(graphs), "", dtype="<U5")
    for split in SPLITS:
        names = [str(name) for name in lists.get(split, [])]
        absent = [name for name in names if name not in number]
        if absent:
            raise InputError(f"{where}: {split} names {counted(len(absent), 'graph')} not there: {listing(absent)}")
        for name in names:
            if words[number[name]]:
                raise InputError(f"{where}: graph {name} is in {split}, and in {words[number[name]]} before")
            words[number[name]] = split
    return words


def find_groups(graphs: GraphSet, config: GraphsTrain) -> list[str | None] | None:
    """Return the group of each graph, by its id or as the data say; None: there are no groups.

    Raises:
        InputError: where both say so, or an id tells of no group.
    """
    if config.groups is None:
        return None if graphs.groups is None else [group or None for group in graphs.groups]
    if graphs.groups is not None:
        raise InputError(f"{graphs.path} has a column of groups, but `groups` is given, too; use one")
    return list(group_names(graphs.ids, config.groups))


def _of_groups(groups: Sequence[str | None] | None, known: NDArray[np.bool_]) -> str:
    """Count the groups of labelled graphs, in words; empty where there are none."""
    if groups is None:
        return ""
    count = len(gather_units([groups[graph] for graph in np.flatnonzero(known).tolist()]))
    return f" and of {counted(count, 'group')}"
