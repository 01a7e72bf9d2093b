"""Checks of annotation before training, and the dataset info that follows from it."""

from __future__ import annotations

import numpy as np

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.readers import Data
from multiunet.domains.info import Labels, Splits
from multiunet.domains.remarks import remark
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError


def describe_classes(config: GenomeTrain, data: Data, split: Splits[str]) -> Labels:
    """Return the classes, with their shares of the training chromosomes.

    Raises:
        InputError: for a class that no training bin has, or a split of which nothing is known.
    """
    for part in SPLITS:
        if chroms := split.of(part):
            _check(config, data, part, chroms)
    trained = np.concatenate([data.targets[chrom] for chrom in split.train], axis=1)
    return Labels(names=tuple(data.names), shares=tuple(np.nanmean(trained, axis=1).tolist()))


def _check(config: GenomeTrain, data: Data, part: str, chroms: tuple[str, ...]) -> None:
    rows = np.concatenate([data.targets[chrom] for chrom in chroms], axis=1)
    if np.isnan(rows).all():
        raise InputError(
            f"{config.annotation[0]}: says nothing of the {part} chromosomes ({listed(chroms)}); choose others"
        )
    absent = [name for name, row in zip(data.names, rows) if not (row > 0).any()]
    if not absent:
        return
    text = (
        f"{config.annotation[0]}: no bin of the {part} chromosomes ({listed(chroms)}) has class {listed(absent)}, "
        f"of which half its {config.bin_size} bases must be"
    )
    if part == "train":
        raise InputError(f"{text}; use smaller bins (`bin_size`), other types, or other chromosomes to train on")
    remark(f"{text}; it has no score there")
