"""Splits of chromosomes, by name or into folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.homology import choose_block, find_alike, group_alike
from multiunet.domains.genome.names import listed, matching
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.regions import touched
from multiunet.domains.genome.sequence import UNKNOWN, Codes
from multiunet.domains.info import Splits
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import counted

Withheld = dict[str, tuple[tuple[int, int], ...]]
"""Starts and ends by chromosome, 0-based and half-open, of regions that are neither learnt nor scored."""

NAMED = 3
"""Regions that a message names, the longest first."""


def split_chromosomes(config: GenomeTrain, data: Data) -> Splits[str]:
    """Split the chromosomes as the settings say.

    Raises:
        InputError: for names that no chromosome has or that two splits have, or where none is left to train on.
    """
    chroms = list(data.codes)
    if config.folds is not None:
        groups = group_alike(data.codes) if config.split_by == "homology" else [[chrom] for chrom in chroms]
        return split_fold(data, config.folds, config.fold or 0, groups)
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


def split_fold(data: Data, folds: int, fold: int, together: Sequence[Sequence[str]]) -> Splits[str]:
    """Put chromosomes into groups of like size: one is tested, the next one validates, the others train.

    Args:
        together: chromosomes that are in one group, each once; most are alone.

    Raises:
        InputError: for more folds than chromosomes that may be parted.
    """
    if folds > len(together):
        apart = "" if len(together) == len(data.codes) else f", of which {len(together)} do not look alike"
        raise InputError(f"`folds={folds}`: there are {len(data.codes)} chromosomes{apart}; a fold tests one at least")

    def size(chroms: Sequence[str]) -> int:
        return sum(len(data.codes[name]) for name in chroms)

    if several := [names for names in together if len(names) > 1]:
        remark(
            f"`split_by=homology`: chromosomes that share most of their words stay in one fold: "
            f"{'; '.join(listed(names) for names in several)}"
        )
    groups: list[list[str]] = [[] for _ in range(folds)]
    for chroms in sorted(together, key=lambda names: -size(names)):  # the longest first, to the smallest
        min(groups, key=size).extend(chroms)
    test, val = groups[fold], groups[(fold + 1) % folds]
    train = [chrom for chrom in data.codes if chrom not in test and chrom not in val]
    return Splits[str](train=tuple(train), val=tuple(val), test=tuple(test))


def find_withheld(config: GenomeTrain, data: Data, split: Splits[str]) -> Withheld:
    """Find what looks like the held-out chromosomes, if the settings ask for it, and say how much it is.

    These are the regions of the chromosomes to train on that look like a part of those of validation or test, and those
    of validation that look like a part of those of test.

    Raises:
        InputError: where nothing of a split is left.
    """
    found: Withheld = {}
    if config.split_by != "homology":
        return found
    block = choose_block(config.bin_size)
    for part, chroms, others in (
        ("train", split.train, (*split.val, *split.test)),
        ("validate", split.val, split.test),
    ):
        alike = find_alike(data.codes, others, chroms, block)
        found |= {name: tuple(rows) for name, rows in alike.items()}
        _report(part, {name: found[name] for name in alike}, sum(len(data.codes[name]) for name in chroms))
    return found


def _report(part: str, found: Mapping[str, tuple[tuple[int, int], ...]], total: int) -> None:
    rows = sorted(((start - end, name, start, end) for name, rows in found.items() for start, end in rows))
    bases = sum(-negative for negative, *_ in rows)
    if bases == total:
        raise InputError(
            f"`split_by=homology`: all that there is to {part} on looks like chromosomes that are held out; hold out "
            "others"
        )
    if not rows:
        remark(f"`split_by=homology`: nothing of the chromosomes to {part} on looks like held-out ones")
        return
    longest = listed(f"{name}:{start + 1:,}-{end:,}" for _, name, start, end in rows[:NAMED])
    remark(
        f"`split_by=homology`: of the chromosomes to {part} on, {bases:,} bases ({bases / total:.1%}) in "
        f"{counted(len(rows), 'region')} look like held-out ones and are left out; the longest: {longest}"
    )


def hide(data: Data, withheld: Withheld, bin_size: int) -> Data:
    """Return data without what is withheld: its targets are not known; of sequences alone, its bases."""
    if not withheld:
        return data
    if not data.names:
        return replace(data, codes=hide_bases(data.codes, withheld))
    targets = dict(data.targets)
    for chrom, rows in withheld.items():
        targets[chrom] = targets[chrom].copy()
        targets[chrom][:, touched(rows, len(data.codes[chrom]), bin_size)] = np.nan
    return replace(data, targets=targets)


def hide_bases(codes: Mapping[str, Codes], withheld: Withheld) -> dict[str, Codes]:
    """Return bases of which those that are withheld are unknown."""
    return {
        chrom: np.where(touched(withheld[chrom], len(bases), 1), np.uint8(UNKNOWN), bases)
        if chrom in withheld
        else bases
        for chrom, bases in codes.items()
    }
