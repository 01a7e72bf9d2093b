"""What a run has to know of its data, checked before training."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.config import did_you_mean
from multiunet.domains.digest import digest_of
from multiunet.domains.domain import Facts
from multiunet.domains.genome.config import GenomeTrain, Transform
from multiunet.domains.genome.names import listed, matching
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.sequence import UNKNOWN
from multiunet.errors import InputError
from multiunet.models.genomic import bin_strides

logger = logging.getLogger("multiunet.genome")

MOSTLY = 0.5
"""Share of missing bins above which it is likely that the file leaves out zeros."""


def survey(config: GenomeTrain, data: Data) -> Facts:
    """Chromosomes, split, tracks and their scale over the training split.

    Raises:
        InputError: where there is nothing to learn from, or to validate on.
    """
    coarsest = math.prod(bin_strides(len(config.widths)))
    if config.bins_of_window() < 2 * coarsest:
        raise InputError(
            f"--window {config.bins_of_window()}: {len(config.widths)} levels coarsen bins {coarsest} times; make it "
            f"at least {2 * coarsest}, or give fewer --widths"
        )
    bases = np.concatenate(list(data.codes.values()))
    known = int(np.count_nonzero(bases < UNKNOWN))
    if not known:
        raise InputError(f"{config.fasta}: all bases are unknown (N); there is nothing to learn from")
    split = _split(config, data)
    mates = strand_mates(config.strand_pairs, data.names)
    longest = max(data.targets[chrom].shape[1] for chrom in split["train"])
    if config.window is not None and config.window > max(2 * longest, 2 * coarsest):
        raise InputError(
            f"--window {config.window}: the longest chromosome to train on has {longest} bins; take at most twice that"
        )
    for part, chroms in split.items():
        if chroms:
            _check_measured(config, data, part, chroms)
    trained = np.concatenate([data.targets[chrom] for chrom in split["train"]], axis=1).astype(np.float64)
    _check_signs(config, trained, mates)
    missing = np.isnan(trained).mean(axis=1)
    _report_missing(config, missing)
    centre, scale = scales(trained, mates)
    return {
        "chroms": {chrom: len(codes) for chrom, codes in data.codes.items()},
        "split": split,
        "tracks": [named(name, config.transform) for name in data.names],
        "mates": mates,
        "bin_size": config.bin_size,
        "window": config.bins_of_window(),
        "centre": centre,
        "scale": scale,
        "missing": missing.tolist(),
        "gc": int(np.count_nonzero((bases == 1) | (bases == 2))) / max(known, 1),
        "data": digest(data),
    }


def named(track: str, transform: Transform) -> str:
    """A track's name, which says in which units it is: ``coverage``, or ``coverage.log1p``."""
    return track if transform == "none" else f"{track}.{transform}"


def digest(data: Data) -> str:
    """Of bases and targets: another text where the data are others."""
    return digest_of([np.array(list(data.codes)), *data.codes.values(), *data.targets.values()])


def scales(trained: NDArray[np.float64], mates: Sequence[int]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each of ``(tracks, bins)``; two strands of one signal share theirs.

    The network averages what it says of a sequence with what it says of the reverse complement, where the mates have
    changed places; that is a mean of like things in one unit alone.
    """
    alike = [trained[sorted({track, mate})] for track, mate in enumerate(mates)]
    return [float(np.nanmean(values)) for values in alike], [float(np.nanstd(values)) for values in alike]


def _check_signs(config: GenomeTrain, trained: NDArray[np.float64], mates: Sequence[int]) -> None:
    """Of mates, one may not be a signal below 0 and the other one above: the minus strand drawn downwards."""
    pairs = [(track, mate) for track, mate in enumerate(mates) if track < mate]
    for one, other in [*pairs, *((mate, track) for track, mate in pairs)]:
        if np.nanmax(trained[one]) <= 0 <= np.nanmin(trained[other]):
            raise InputError(
                f"{config.targets[one]}: has no value above 0, but its mate of --strand-pairs, "
                f"{config.targets[other].name}, has none below: the minus strand is stored as negative numbers; change "
                "their sign, so that both strands measure the same"
            )
    for one, other in pairs:
        means = np.nanmean(trained[[one, other]], axis=1)
        if means.prod() < 0:
            logger.warning(
                f"{config.targets[one]}: its mean is {means[0]:g}, that of its mate of --strand-pairs, "
                f"{config.targets[other].name}, is {means[1]:g}; is one of them stored with the other sign?"
            )


def _hint(config: GenomeTrain) -> str:
    return "; if the file leaves out what is 0, pass --missing zero" if config.missing == "nan" else ""


def _report_missing(config: GenomeTrain, missing: NDArray[np.float64]) -> None:
    for path, share in zip(config.targets, missing):
        if share > MOSTLY:
            logger.warning(f"{path}: {share:.0%} of the training bins have no value and are left out{_hint(config)}")


def strand_mates(pairs: Sequence[str], tracks: Sequence[str]) -> list[int]:
    """For each track, the one that holds its signal on the other strand; itself where it has no strand.

    Args:
        pairs: ``FORWARD:REVERSE`` names of tracks.

    Raises:
        InputError: for a name that no track has, or that is in two pairs.
    """
    mates = list(range(len(tracks)))
    for pair in pairs:
        names = pair.split(":")
        if len(names) != 2 or names[0] == names[1]:
            raise InputError(f"--strand-pairs {pair}: give two tracks as FORWARD:REVERSE")
        for name in names:
            if name not in tracks:
                hint = did_you_mean(name, tracks)
                raise InputError(f"--strand-pairs {pair}: no track {name!r}{hint}; there are {listed(tracks)}")
        a, b = (tracks.index(name) for name in names)
        if (mates[a], mates[b]) != (a, b):
            raise InputError(f"--strand-pairs {pair}: a track is in two pairs")
        mates[a], mates[b] = b, a
    return mates


def _split(config: GenomeTrain, data: Data) -> dict[str, list[str]]:
    chroms = list(data.codes)
    if config.folds is not None:
        return _fold(data, config.folds, config.fold or 0)
    val = matching(config.val_chroms, chroms, "--val-chroms", config.fasta)
    test = matching(config.test_chroms, chroms, "--test-chroms", config.fasta)
    if not val:
        raise InputError("--val-chroms is empty; name a chromosome to choose the best epoch by, or give --folds")
    named = matching(config.train_chroms, chroms, "--train-chroms", config.fasta)
    for one, first, other, second in (
        ("val", val, "test", test),
        ("train", named, "val", val),
        ("train", named, "test", test),
    ):
        both = [chrom for chrom in first if chrom in second]
        if both:
            raise InputError(f"{listed(both)} is both in --{one}-chroms and in --{other}-chroms; put it in one")
    train = named or [chrom for chrom in chroms if chrom not in val and chrom not in test]
    if not train:
        raise InputError(f"no chromosome of {config.fasta} is left to train on; name fewer for validation and test")
    return {"train": train, "val": val, "test": test}


def _fold(data: Data, folds: int, fold: int) -> dict[str, list[str]]:
    """Chromosomes in groups of like size: one is tested, the next one validates, the others train."""
    if folds > len(data.codes):
        raise InputError(f"--folds {folds}: there are {len(data.codes)} chromosomes; a fold tests one at least")
    groups: list[list[str]] = [[] for _ in range(folds)]
    for chrom in sorted(data.codes, key=lambda name: -len(data.codes[name])):  # the longest first, to the smallest
        min(groups, key=lambda group: sum(len(data.codes[name]) for name in group)).append(chrom)
    test, val = groups[fold], groups[(fold + 1) % folds]
    train = [chrom for chrom in data.codes if chrom not in test and chrom not in val]
    return {"train": train, "val": val, "test": test}


def _check_measured(config: GenomeTrain, data: Data, part: str, chroms: list[str]) -> None:
    for index, path in enumerate(config.targets):
        values: NDArray[np.float32] = np.concatenate([data.targets[chrom][index] for chrom in chroms])
        known = values[~np.isnan(values)]
        if not np.isfinite(known).all():
            raise InputError(
                f"{path}: a bin of the {part} chromosomes is too large for a 32-bit float; rescale the signal"
            )
        if not len(known):
            raise InputError(
                f"{path}: no bin of the {part} chromosomes ({listed(chroms)}) has a value at --bin-size "
                f"{config.bin_size}: a bin needs data on half its bases; use larger bins, or other chromosomes"
                f"{_hint(config)}"
            )
        if known.min() == known.max():
            raise InputError(
                f"{path}: all {len(known)} values of the {part} chromosomes ({listed(chroms)}) are {known[0]:g}; "
                f"there is nothing to learn{_hint(config)}"
            )
        if config.loss == "poisson" and known.min() < 0:
            raise InputError(f"{path}: a value is {known.min():g}, but --loss poisson is for counts; use beta-nll")
