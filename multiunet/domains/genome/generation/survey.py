"""Checks of the sequences that a generator learns from, and the dataset info that follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from multiunet.domains.genome.chrom_splits import find_withheld, hide, split_chromosomes
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.generation.network import BASES
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.sequence import count_known
from multiunet.domains.info import ClassLabels
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.models.genomic import bin_strides


def describe_bases(config: GenomeTrain, data: Data, digest: str) -> GenomeInfo:
    """Check the sequences of a generator, and describe them.

    Args:
        digest: of the data.

    Raises:
        InputError: where there is nothing to learn from or to validate on, or sequences are too short.
    """
    split, digests = split_chromosomes(config, data), data.digests()
    withheld = find_withheld(config, data, split)
    data = hide(data, withheld, 1)
    for part in SPLITS:
        if chroms := split.of(part):
            _check_known(config, data, part, chroms)
    _check_lengths(config, data, split.train)
    known, strong = (sum(counts) for counts in zip(*map(count_known, data.codes.values())))
    return GenomeInfo(
        target=ClassLabels(names=BASES, values=BASES),
        data=digest,
        split=split,
        content={digests[chrom]: chrom for chrom in (*split.train, *split.val)},
        chroms={chrom: len(codes) for chrom, codes in data.codes.items()},
        strand_pair=(),
        bin_size=1,
        window=config.bins_of_window(),
        missing=(),
        gc=strong / known,
        withheld=withheld,
    )


def _check_known(config: GenomeTrain, data: Data, part: str, chroms: Sequence[str]) -> None:
    if not any(count_known(data.codes[chrom])[0] for chrom in chroms):
        raise InputError(
            f"{config.fasta}: all bases of the {part} chromosomes ({listed(chroms)}) are unknown (N); there is nothing "
            "to learn from; choose others"
        )


def _check_lengths(config: GenomeTrain, data: Data, chroms: Sequence[str]) -> None:
    coarsest = math.prod(bin_strides(len(config.widths)))
    window, longest = config.bins_of_window(), max(len(data.codes[chrom]) for chrom in chroms)
    if longest < coarsest:
        raise InputError(
            f"{config.fasta}: the longest sequence to train on has {longest} bases, fewer than a site of the network's "
            f"coarsest level, {coarsest}; give longer ones, or fewer `widths`"
        )
    if window < 2 * coarsest:
        raise InputError(
            f"`window={window}`: {len(config.widths)} levels coarsen bases {coarsest} times; make it at least "
            f"{2 * coarsest}, or give fewer `widths`"
        )
    if config.window is not None and "window" in config.model_fields_set and window > max(2 * longest, 2 * coarsest):
        raise InputError(
            f"`window={window}`: the longest sequence to train on has {longest} bases; take at most twice that"
        )
