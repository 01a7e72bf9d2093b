"""Train, validation and test nodes of one graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.readers import GraphFile
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.seeds import permutation

Masks = dict[Split, NDArray[np.bool_]]

TEST_FRACTION = GraphTrain.model_fields["test_fraction"].default
"""Share of labelled nodes to test on, unless the settings give another."""


def split_masks(graph: GraphFile, known: NDArray[np.bool_], strata: NDArray[np.int64], config: GraphTrain) -> Masks:
    """Disjoint masks of labelled nodes, by split: those of the file, or seeded fractions.

    Args:
        known: which nodes have a label or a measurement.
        strata: fractions are taken of each of these groups of nodes alike.

    Raises:
        InputError: for masks that overlap, do not fit the nodes or are empty.
    """
    given = {split: _mask(graph, mask, split, config.split_index) for split, mask in graph.masks.items()}
    several = [mask for mask in graph.masks.values() if mask.ndim == 2]
    if several and config.split_index is None:
        remark(
            f"{graph.path}: masks hold {min(several[0].shape)} splits; the first is used (`split_index` takes another)"
        )
    if not given and config.split_index is not None:
        raise InputError(f"{graph.path}: has no masks for `split_index={config.split_index}`; leave it out")
    if given and "train" not in given:
        raise InputError(
            f"{graph.path}: has {' and '.join(given)} masks but none of train; add it, or remove all masks"
        )
    _check_disjoint(graph, given)
    if config.folds is not None and (given or config.test_fraction != TEST_FRACTION):
        other, fix = (
            ("the masks of the graph", "leave `folds` out, or write the graph without its masks")
            if given
            else ("`test_fraction`", "use one")
        )
        raise InputError(f"{graph.path}: `folds` and {other} both say how to split; {fix}")
    nothing = np.zeros(len(known), dtype=bool)
    masks: Masks = {split: given.get(split, nothing) & known for split in SPLITS}
    if not given:
        masks["train"] = known.copy()
        if config.folds is not None and config.fold is not None:
            _test_fold(masks, config.folds, config.fold, strata, config.seed)
        else:
            _carve(masks, "test", config.test_fraction, strata, config.seed)
    if "val" not in given:
        _carve(masks, "val", config.val_fraction, strata, config.seed)
    for split in SPLITS[:2]:
        if not masks[split].any():
            if split in given:
                raise InputError(
                    f"{graph.path}: the {split} mask holds no labelled node ({int(given[split].sum())} marked, "
                    f"{int(known.sum())} labelled in all); mark some, or leave the masks out to split at random"
                )
            raise InputError(
                f"{graph.path}: no labelled node is left to {'train' if split == 'train' else 'validate'} on "
                f"({int(known.sum())} of {len(known)} are labelled); label more of each class, or change "
                "`val_fraction` and `test_fraction`"
            )
    return masks


def _mask(graph: GraphFile, mask: NDArray[Any], split: str, index: int | None) -> NDArray[np.bool_]:
    nodes, name = len(graph.x), f"{graph.path}: the {split} mask"
    if mask.ndim == 2:
        rows = mask if mask.shape[1] == nodes else mask.T
        if (index or 0) >= len(rows):
            raise InputError(
                f"{name} holds {len(rows)} splits, 0..{len(rows) - 1}; `split_index={index}` is not among them"
            )
        mask = rows[index or 0]
    elif index is not None:
        raise InputError(f"{name} holds one split; leave `split_index` out")
    if mask.shape != (nodes,):
        raise InputError(f"{name} has the shape {mask.shape} for {nodes} nodes")
    if mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
        raise InputError(f"{name} must be true or false for each node; a list of node numbers is named {split}_idx")
    return mask.astype(bool)


def _check_disjoint(graph: GraphFile, masks: Mapping[Split, NDArray[np.bool_]]) -> None:
    names = list(masks)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = masks[one] & masks[other]
            if both.any():
                node = graph.ids[np.flatnonzero(both)[0]]
                raise InputError(
                    f"{graph.path}: {int(both.sum())} nodes are both {one} and {other}, such as node {node}; scores "
                    "would be of nodes that were trained on; make the masks disjoint"
                )


def _test_fold(masks: Masks, folds: int, fold: int, strata: NDArray[np.int64], seed: int) -> None:
    """Test every ``folds``-th node of a shuffled row in which those of a stratum follow each other."""
    training = masks["train"]
    if folds > training.sum():
        raise InputError(f"`folds={folds}`: there are {int(training.sum())} labelled nodes; a fold tests one at least")
    members = [np.flatnonzero(training & (strata == stratum)) for stratum in np.unique(strata[training])]
    row = np.concatenate([part[permutation(len(part), "folds", seed, place)] for place, part in enumerate(members)])
    masks["test"] = masks["test"].copy()
    masks["test"][row[fold::folds]], masks["train"][row[fold::folds]] = True, False


def _carve(masks: Masks, split: Split, fraction: float, strata: NDArray[np.int64], seed: int) -> None:
    """Moves a share of the training nodes of each stratum to another split; at least one stays."""
    key = SPLITS.index(split)
    for stratum in np.unique(strata[masks["train"]]):
        members = np.flatnonzero(masks["train"] & (strata == stratum))
        count = min(round(fraction * len(members)), len(members) - 1)
        chosen = members[permutation(len(members), "split", seed, key, int(stratum))[:count]]
        masks[split] = masks[split].copy()
        masks[split][chosen], masks["train"][chosen] = True, False
