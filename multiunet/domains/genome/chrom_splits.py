"""Splits of chromosomes, by name or into folds."""

from __future__ import annotations

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.names import listed, matching
from multiunet.domains.genome.readers import Data
from multiunet.domains.info import Splits
from multiunet.errors import InputError


def split_chromosomes(config: GenomeTrain, data: Data) -> Splits[str]:
    """Split the chromosomes as the settings say.

    Raises:
        InputError: for names that no chromosome has or that two splits have, or where none is left to train on.
    """
    chroms = list(data.codes)
    if config.folds is not None:
        return split_fold(data, config.folds, config.fold or 0)
    val = matching(config.val_chroms, chroms, "`val_chroms`", data.genome)
    test = matching(config.test_chroms, chroms, "`test_chroms`", data.genome)
    if not val:
        raise InputError("`val_chroms` is empty; name a chromosome to choose the best epoch by, or give `folds`")
    named = matching(config.train_chroms, chroms, "`train_chroms`", data.genome)
    for one, first, other, second in (
        ("val", val, "test", test),
        ("train", named, "val", val),
        ("train", named, "test", test),
    ):
        both = [chrom for chrom in first if chrom in second]
        if both:
            raise InputError(f"{listed(both)} is both in `{one}_chroms` and in `{other}_chroms`; put it in one")
    train = named or [chrom for chrom in chroms if chrom not in val and chrom not in test]
    if not train:
        raise InputError(f"no chromosome of {config.fasta} is left to train on; name fewer for validation and test")
    return Splits[str](train=tuple(train), val=tuple(val), test=tuple(test))


def split_fold(data: Data, folds: int, fold: int) -> Splits[str]:
    """Put chromosomes into groups of like size: one is tested, the next one validates, the others train.

    Raises:
        InputError: for more folds than chromosomes.
    """
    if folds > len(data.codes):
        raise InputError(f"`folds={folds}`: there are {len(data.codes)} chromosomes; a fold tests one at least")
    groups: list[list[str]] = [[] for _ in range(folds)]
    for chrom in sorted(data.codes, key=lambda name: -len(data.codes[name])):  # the longest first, to the smallest
        min(groups, key=lambda group: sum(len(data.codes[name]) for name in group)).append(chrom)
    test, val = groups[fold], groups[(fold + 1) % folds]
    train = [chrom for chrom in data.codes if chrom not in test and chrom not in val]
    return Splits[str](train=tuple(train), val=tuple(val), test=tuple(test))
