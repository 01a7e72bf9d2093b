"""Splits of many graphs into training, validation and test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.config import Split
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.splits import SPLITS, read_splits
from multiunet.errors import InputError
from multiunet.seeds import permutation
from multiunet.wording import counted, listing

Members = dict[Split, NDArray[np.int64]]
"""Numbers of graphs, ascending; no graph is in two."""


def split_graphs(graphs: GraphSet, known: NDArray[np.bool_], strata: NDArray[np.int64], config: GraphsTrain) -> Members:
    """Labelled graphs by split: as the data or a file of lists say, by folds, or seeded fractions.

    Args:
        known: which graphs have a label.
        strata: folds and fractions are taken of each of these groups of graphs alike.

    Raises:
        InputError: for several ways at once, lists that do not fit the graphs, empty splits.
    """
    ways = {"`splits`": config.splits, "`folds`": config.folds, "splits of its own": graphs.splits}
    given = [name for name, way in ways.items() if way is not None]
    if len(given) > 1:
        raise InputError(f"{graphs.path}: {' and '.join(given)} both say how to split; use one")
    words = np.full(len(graphs), "", dtype="<U5")
    if graphs.splits is not None:
        words = graphs.splits.copy()
    elif config.splits is not None:
        words = _listed(graphs, config.splits)
    elif config.folds is not None and config.fold is not None:
        words[:] = "train"
        words[_fold(known, strata, config.folds, config.fold, config.seed)] = "test"
    else:
        words[:] = "train"
        _carve(words, known, strata, "test", config.test_fraction, config.seed)
    words[~known] = ""
    if not (words == "val").any():
        _carve(words, known, strata, "val", config.val_fraction, config.seed)
    for split in SPLITS[:2]:
        if not (words == split).any():
            raise InputError(
                f"{graphs.path}: no labelled graph is left to {'train on' if split == 'train' else 'validate on'} "
                f"({int(known.sum())} of {len(graphs)} are labelled); give more, or another split"
            )
    return {split: np.flatnonzero(words == split) for split in SPLITS}


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


def _fold(known: NDArray[np.bool_], strata: NDArray[np.int64], folds: int, fold: int, seed: int) -> NDArray[np.int64]:
    """Every ``folds``-th graph of a shuffled row in which those of a stratum follow each other."""
    if folds > known.sum():
        raise InputError(f"`folds={folds}`: there are {int(known.sum())} labelled graphs; a fold tests one at least")
    members = [np.flatnonzero(known & (strata == stratum)) for stratum in np.unique(strata[known])]
    row = np.concatenate([part[permutation(len(part), "folds", seed, place)] for place, part in enumerate(members)])
    return row[fold::folds]


def _carve(
    words: NDArray[np.str_],
    known: NDArray[np.bool_],
    strata: NDArray[np.int64],
    split: Split,
    fraction: float,
    seed: int,
) -> None:
    """Moves a share of the training graphs of each stratum to another split; at least one stays."""
    training = known & (words == "train")
    for stratum in np.unique(strata[training]):
        members = np.flatnonzero(training & (strata == stratum))
        count = min(round(fraction * len(members)), len(members) - 1)
        if fraction and len(members) > 1:
            count = max(1, count)
        order = permutation(len(members), "split", seed, SPLITS.index(split), int(stratum))
        words[members[order[:count]]] = split
