"""Splits of the chromosomes of several genomes, which keep the same bases together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multiunet.domains.genome.chrom_splits import split_chromosomes, split_fold
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.homology import group_alike
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.several.conditions import NUMBER
from multiunet.domains.genome.several.joining import join_name, read_rows
from multiunet.domains.info import Splits
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError


def split_several(config: GenomeTrain, data: Data, digests: Mapping[str, str]) -> Splits[str]:
    """Split the chromosomes of several genomes as the settings and the table say.

    Args:
        digests: of the bases of each chromosome.

    Raises:
        InputError: see ``split_chromosomes``; also for the same bases in two splits.
    """
    config = _with_splits(config)
    if config.folds is None:
        split = split_chromosomes(config, data)
        _check_apart(split, digests)
        return split
    groups = _group_same(digests)
    if config.split_by == "homology":
        groups = _join(groups, group_alike(data.codes))
    return split_fold(data, config.folds, config.fold or 0, groups)


def read_told_of(config: GenomeTrain) -> dict[str, dict[str, str]]:
    """Return the values of the conditions by genome, as the table says them."""
    names = [text.removesuffix(NUMBER) for text in config.conditions]
    return {row.name: {name: row.words.get(name, "") for name in names} for row in read_rows(config)}


def _with_splits(config: GenomeTrain) -> GenomeTrain:
    """Return settings with the chromosomes that the table of genomes holds out, beside those of the settings.

    Raises:
        InputError: where folds are asked for, too.
    """
    rows, found = read_rows(config), {}
    for name in ("val_chroms", "test_chroms"):
        own = [join_name(row.name, chrom) for row in rows for chrom in row.listed(name)]
        if own and config.folds is not None:
            raise InputError(f"{config.fasta}: `folds` splits the chromosomes; leave the column {name} out")
        found[name] = [*getattr(config, name), *own]
    return config.model_copy(update=found)


def _check_apart(split: Splits[str], digests: Mapping[str, str]) -> None:
    """Check that the same bases are in one split, whatever genome of the table they are of.

    Args:
        digests: of the bases of each chromosome.

    Raises:
        InputError: naming both chromosomes.
    """
    seen: dict[str, tuple[str, str]] = {}
    for part in SPLITS:
        for chrom in split.of(part):
            other, before = seen.setdefault(digests[chrom], (chrom, part))
            if before != part:
                raise InputError(
                    f"{chrom} and {other} have the same bases, but one is of the {part} split and the other of that to "
                    f"{before}: scores would be of what was learnt; put both into one (`val_chroms`, `test_chroms`)"
                )


def _group_same(digests: Mapping[str, str]) -> list[list[str]]:
    """Return chromosomes in groups of the same bases."""
    groups: dict[str, list[str]] = {}
    for chrom, digest in digests.items():
        groups.setdefault(digest, []).append(chrom)
    return list(groups.values())


def _join(groups: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return groups of which each holds whole those of both kinds that it touches."""
    joined: list[list[str]] = []
    for group in (*groups, *others):
        touching = [one for one in joined if set(one) & set(group)]
        joined = [one for one in joined if one not in touching]
        joined.append(list(dict.fromkeys([name for one in touching for name in one] + list(group))))
    return joined
