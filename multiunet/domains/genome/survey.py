"""Checks of the data before training, and the dataset info that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.digest import digest_of
from multiunet.domains.genome.annotation.survey import describe_classes
from multiunet.domains.genome.chrom_splits import find_withheld, hide, split_chromosomes
from multiunet.domains.genome.config import COUNT_LOSSES, PRESENCE_LOSSES, GenomeTrain, Transform
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.network import level_strides
from multiunet.domains.genome.peaks.windows import place_peaks
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.scaling import UNSCALED, Scaling, decide_scaling
from multiunet.domains.genome.sequence import count_known
from multiunet.domains.genome.several.conditions import describe_conditions
from multiunet.domains.genome.several.splitting import read_told_of, split_several
from multiunet.domains.genome.strands import check_signs, pair_strands
from multiunet.domains.info import Quantities, Splits
from multiunet.domains.remarks import remark
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

MOSTLY = 0.5
"""Share of missing bins above which it is likely that the file leaves out zeros."""

FEW = 30
"""Bins below which a correlation says next to nothing."""

CHANCE = {
    "train": "there is next to nothing to learn from",
    "val": "the best epoch is chosen by chance",
    "test": "scores are chance",
}


def survey(config: GenomeTrain, data: Data) -> GenomeInfo:
    """Check the data of a training, and describe them.

    Raises:
        InputError: where there is nothing to learn from, or to validate on.
    """
    coarsest = math.prod(level_strides(config))
    if config.bins_of_window() < 2 * coarsest:
        raise InputError(
            f"`window={config.bins_of_window()}`: {len(config.widths)} levels coarsen bins {coarsest} times; make it "
            f"at least {2 * coarsest}, or give fewer `widths`"
        )
    known, strong = (sum(counts) for counts in zip(*map(count_known, data.codes.values())))
    if not known:
        raise InputError(f"{config.fasta}: all bases are unknown (N); there is nothing to learn from")
    digests = data.digests()
    split = split_several(config, data, digests) if config.has_several else split_chromosomes(config, data)
    digest, withheld = digest_data(data, digests), find_withheld(config, data, split)
    data = hide(data, withheld, config.bin_size)
    if data.partners is not None and config.strand_pairs:
        raise InputError("`strand_pairs` and the column strand_pair of the table both pair tracks; give one of them")
    partners = data.partners or pair_strands(config.strand_pairs, data.names)
    _check_window(config, max(data.targets[chrom].shape[1] for chrom in split.train), coarsest)
    if config.peaks is not None:
        place_peaks(config, data, split.train, withheld)
    annotates = config.task == "classes"
    target, scaling = (
        (describe_classes(config, data, split), UNSCALED)
        if annotates
        else _describe_signals(config, data, split, partners)
    )
    trained = np.concatenate([data.targets[chrom] for chrom in split.train], axis=1)
    missing = np.isnan(trained).mean(axis=1)
    if not annotates and not config.has_several:
        _report_missing(config, data.paths, missing)
    told = read_told_of(config) if config.has_several else {}
    return GenomeInfo(
        genomes=told,
        conditions=describe_conditions(config.conditions, told),
        target=target,
        data=digest,
        split=split,
        content={digests[chrom]: chrom for chrom in (*split.train, *split.val)},
        chroms={chrom: len(codes) for chrom, codes in data.codes.items()},
        strand_pair=tuple(partners),
        bin_size=config.bin_size,
        window=config.bins_of_window(),
        missing=tuple(missing.tolist()),
        gc=strong / known,
        clips=scaling.clips if any(scaling.clips) else (),
        extremes=scaling.extremes,
        withheld=withheld,
    )


def _describe_signals(
    config: GenomeTrain, data: Data, split: Splits[str], partners: Sequence[int]
) -> tuple[Quantities, Scaling]:
    """Return the tracks with their scales over the training chromosomes.

    Raises:
        InputError: for a track without a value, or with one value only, in a split.
    """
    for part in SPLITS:
        if chroms := split.of(part):
            _check_measured(config, data, part, chroms)
    trained = np.concatenate([data.targets[chrom] for chrom in split.train], axis=1).astype(np.float64)
    check_signs(data.paths, trained, partners)
    lengths = {chrom: len(codes) for chrom, codes in data.codes.items()}
    scaling = decide_scaling(config, data.targets, data.paths, lengths, split.train, partners)
    names = tuple(add_transform(name, config.transform) for name in data.names)
    return Quantities(names=names, centre=tuple(scaling.centre), scale=tuple(scaling.scale)), scaling


def add_transform(track: str, transform: Transform) -> str:
    """Return a track's name with its units: ``coverage``, or ``coverage.log1p``."""
    return track if transform == "none" else f"{track}.{transform}"


def digest_data(data: Data, digests: Mapping[str, str] | None = None) -> str:
    """Hash names, bases and targets.

    Args:
        digests: of the bases of each chromosome, where they are known.
    """
    bases = data.digests() if digests is None else digests
    return digest_of([np.array(list(bases)), np.array(list(bases.values())), *data.targets.values()])


def _check_loss(config: GenomeTrain, path: Path, known: NDArray[np.float32]) -> None:
    """Refuse values that the loss is not for."""
    if config.loss in COUNT_LOSSES and known.min() < 0:
        raise InputError(f"{path}: a value is {known.min():g}, but `loss={config.loss}` is for counts; use beta-nll")
    if config.loss in PRESENCE_LOSSES and (known.min() < 0 or known.max() > 1):
        strange = known.min() if known.min() < 0 else known.max()
        raise InputError(
            f"{path}: a value is {strange:g}, but `loss={config.loss}` is for presence, from 0 (absent) to 1; use "
            "beta-nll, or a loss for counts"
        )


def _check_window(config: GenomeTrain, longest: int, coarsest: int) -> None:
    if config.window is not None and config.window > max(2 * longest, 2 * coarsest):
        raise InputError(
            f"`window={config.window}`: the longest chromosome to train on has {longest} bins; take at most twice that"
        )


def _hint(config: GenomeTrain) -> str:
    return "; if the file leaves out what is 0, pass `missing=zero`" if config.missing == "nan" else ""


def _report_missing(config: GenomeTrain, paths: Sequence[Path], missing: NDArray[np.float64]) -> None:
    for path, share in zip(paths, missing):
        if share > MOSTLY:
            remark(f"{path}: {share:.0%} of the training bins have no value and are left out{_hint(config)}")


def _check_measured(config: GenomeTrain, data: Data, part: str, chroms: Sequence[str]) -> None:
    for index, path in enumerate(data.paths):
        values: NDArray[np.float32] = np.concatenate([data.targets[chrom][index] for chrom in chroms])
        known = values[~np.isnan(values)]
        if not np.isfinite(known).all():
            raise InputError(
                f"{path}: a bin of the {part} chromosomes is too large for a 32-bit float; rescale the signal"
            )
        if not len(known):
            raise InputError(
                f"{path}: no bin of the {part} chromosomes ({listed(chroms)}) has a value at `bin_size` "
                f"{config.bin_size}: a bin needs data on half its bases; use larger bins, or other chromosomes"
                f"{_hint(config)}"
            )
        if known.min() == known.max():
            raise InputError(
                f"{path}: all {len(known)} values of the {part} chromosomes ({listed(chroms)}) are {known[0]:g}; "
                f"there is nothing to learn{_hint(config)}"
            )
        if len(known) < FEW:
            remark(
                f"{path}: only {len(known)} bins of the {part} chromosomes ({listed(chroms)}) have a value, so "
                f"{CHANCE[part]}; choose longer chromosomes, or smaller bins"
            )
        _check_loss(config, path, known)
