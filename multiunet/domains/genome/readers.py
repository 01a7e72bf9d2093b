"""Sequences and signals of a run, read once: one byte a base, one number a bin and track."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.digest import digest_of_parts
from multiunet.domains.genome.annotation.classes import read_classes
from multiunet.domains.genome.annotation.open_frames import check_open
from multiunet.domains.genome.bases import stretches
from multiunet.domains.genome.config import GenomeTrain, Transform
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.names import matching, read_renames
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.genome.sequence import UNKNOWN, Codes, Genome, find_unknown_bins
from multiunet.domains.genome.targets_table import Target, open_targets
from multiunet.domains.genome.tracks import Bins, Track, read_tracks
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import listing

Values = NDArray[np.float32]

READ_BY = [
    "task",
    "fasta",
    "conditions",
    "targets",
    "annotation",
    "types",
    "exclude_features",
    "stranded",
    "rename_chroms",
    "bin_size",
    "missing",
    "transform",
    "exclude_chroms",
    "exclude_regions",
]
"""Settings of a training that say how its data are read."""

TRANSFORMS: Mapping[Transform, Callable[[Any], Any]] = {"none": np.asarray, "log1p": np.log1p, "sqrt": np.sqrt}


@dataclass(frozen=True)
class Data:
    """Sequences and signals of some chromosomes.

    Attributes:
        genome: all sequences of the FASTA file.
        names: of the tracks, or of the classes of an annotation.
        codes: bases by chromosome, in the order of the FASTA file.
        targets: ``(tracks, bins)`` by chromosome, transformed; NaN where not measured, where no base is known, or in
            excluded regions. Of classes 1 and 0.
        partners: for each class the index of the same on the other strand, and for each track of a table that pairs
            them; None for other tracks, which settings pair.
        paths: files of the tracks.
    """

    genome: Genome
    names: list[str]
    codes: dict[str, Codes]
    targets: dict[str, Values]
    partners: list[int] | None = None
    paths: Sequence[Path] = ()

    def digests(self) -> dict[str, str]:
        """Return a digest of the bases of each chromosome, by its name."""
        return {name: digest_of_parts(len(codes), stretches(codes)) for name, codes in self.codes.items()}


def open_genome(config: GenomeTrain, fasta: Path | None = None) -> Genome:
    """Open a FASTA file, by default that of the training, with chromosomes renamed as in the training."""
    return read_fasta(fasta or config.fasta, read_renames(config.rename_chroms))


def read_training(config: GenomeTrain) -> Data:
    """Read what a training uses.

    Raises:
        InputError: for files that are not what they should be, or do not fit each other.
    """
    if config.task == "generate":
        return _read_bases(config)
    genome, exclude = open_genome(config), config.exclude_chroms
    data, chroms = _read(config, genome, config.annotation or config.targets, exclude)
    # a pattern may name what the signals alone have; one that matches nothing at all is a mistake
    matching(exclude, dict.fromkeys([*genome.lengths, *chroms]), "`exclude_chroms`", genome)
    regions = {} if config.exclude_regions is None else read_regions(config.exclude_regions, genome)
    for name, rows in data.targets.items():
        rows[:, touched(regions.get(name, []), len(data.codes[name]), config.bin_size)] = np.nan
    return data


def _read_bases(config: GenomeTrain) -> Data:
    """Read sequences alone; what is excluded counts as unknown."""
    genome = open_genome(config)
    dropped = matching(config.exclude_chroms, genome.lengths, "`exclude_chroms`", genome)
    names = [name for name in genome.lengths if name not in dropped]
    if not names:
        raise InputError(f"{genome.path}: `exclude_chroms={','.join(config.exclude_chroms)}` leaves no chromosome")
    codes = genome.keep(names)
    regions = {} if config.exclude_regions is None else read_regions(config.exclude_regions, genome)
    for name in regions.keys() & codes.keys():
        hidden = touched(regions[name], len(codes[name]), 1)
        codes[name] = np.where(hidden, np.uint8(UNKNOWN), codes[name])
    return Data(genome, [], codes, {name: np.empty((0, len(found)), np.float32) for name, found in codes.items()})


def read_other(config: GenomeTrain, genome: Genome, targets: Sequence[Path], chroms: Sequence[str]) -> Data:
    """Read some chromosomes of other data than a run was trained on, as those of the training are read.

    Args:
        targets: signals, or for a run on annotation other annotation.

    Raises:
        InputError: for files that are not what they should be, or do not fit each other.
    """
    others = [name for name in genome.lengths if name not in chroms]  # which the targets may lack
    return _read(config, genome, targets, others)[0]


def _read(
    config: GenomeTrain, genome: Genome, targets: Sequence[Path], exclude: Sequence[str]
) -> tuple[Data, list[str]]:
    """Return the data, and all chromosomes that the signals have."""
    bins = Bins(genome, config.bin_size, exclude, config.missing == "zero")
    if not bins.lengths():
        raise InputError(f"{genome.path}: `exclude_chroms={','.join(exclude)}` leaves no chromosome")
    if config.bin_size > (longest := max(genome.lengths[name] for name in bins.lengths())):
        raise InputError(
            f"`bin_size={config.bin_size}`: no chromosome of {genome.path} is as long, the longest has {longest} "
            "bases; give smaller bins"
        )
    codes = genome.keep(bins.lengths())
    read = _read_classes if config.task == "classes" else _read_signals
    data, found = read(config, codes, targets, bins)
    for name, rows in data.targets.items():
        rows[:, find_unknown_bins(codes[name], config.bin_size)] = np.nan  # a run of N is neither learnt nor scored
    return data, found


def _read_signals(
    config: GenomeTrain, codes: dict[str, Codes], targets: Sequence[Path], bins: Bins
) -> tuple[Data, list[str]]:
    opened = open_targets(targets)
    paths = [target.path for target in opened.signals]
    tracks = read_tracks(paths, bins, [target.name for target in opened.signals])
    if bins.zero:
        for track in tracks:
            report_false_zeros(track)
    values = [_transform(track, config, target) for track, target in zip(tracks, opened.signals)]
    stacked = {name: np.stack([of_track[name] for of_track in values]) for name in codes}
    found = [name for track in tracks for name in track.chroms]
    return Data(bins.genome, [track.name for track in tracks], codes, stacked, opened.partners, paths), found


def _read_classes(
    config: GenomeTrain, codes: dict[str, Codes], targets: Sequence[Path], bins: Bins
) -> tuple[Data, list[str]]:
    classes = read_classes(targets, config.types, bins, config.exclude_features, config.stranded)
    check_open(targets[0], bins.genome.path, classes, codes)
    values = {name: classes.on_bins(name, len(found), config.bin_size) for name, found in codes.items()}
    return Data(bins.genome, classes.names, codes, values, classes.partners), classes.found


def report_false_zeros(track: Track) -> None:
    """Warn of whole chromosomes that a track calls 0 because its file does not mention them."""
    sums = {name: float(np.nansum(np.abs(rows))) for name, rows in track.values.items()}
    empty = [name for name, total in sums.items() if not total]
    if not empty or len(empty) == len(sums):
        return
    count, every = (sum(len(track.values[name]) for name in names) for names in (empty, sums))
    remark(
        f"{track.path}: has nothing on {listing(empty)}, of which `missing=zero` makes {count:,} bins of 0, "
        f"{count / every:.0%} of all; if these chromosomes were not measured, leave them out with `exclude_chroms`"
    )


def _transform(track: Track, config: GenomeTrain, target: Target) -> dict[str, Values]:
    values = {chrom: target.apply(own, config.bin_size) for chrom, own in track.values.items()}
    transform = config.transform
    if transform != "none":
        lowest = min((float(np.nanmin(v)) for v in values.values() if not np.isnan(v).all()), default=0.0)
        if lowest < 0:
            raise InputError(f"{track.path}: a value is {lowest:g}; `transform={transform}` is for values of 0 or more")
    return {chrom: TRANSFORMS[transform](own) for chrom, own in values.items()}
