"""All of a run's data in memory, read once: one byte a base, one number a bin and track."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.config import Transform
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.names import matches, matching, read_renames
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.genome.sequence import Codes, find_unknown_bins
from multiunet.domains.genome.tracks import Bins, Track, read_tracks
from multiunet.errors import InputError

Values = NDArray[np.float32]

TRANSFORMS: Mapping[Transform, Callable[[Any], Any]] = {"none": np.asarray, "log1p": np.log1p, "sqrt": np.sqrt}


@dataclass(frozen=True)
class Data:
    """Sequences and signals of the chromosomes that a run uses.

    Attributes:
        names: of the tracks.
        codes: bases by chromosome, in the order of the FASTA file.
        targets: ``(tracks, bins)`` by chromosome, transformed; NaN where not measured, where no base is known, or in
            excluded regions.
    """

    names: list[str]
    codes: dict[str, Codes]
    targets: dict[str, Values]


@dataclass(frozen=True)
class Reading:
    """How files become ``Data``.

    Attributes:
        bin_size: bases a bin.
        exclude: patterns of chromosomes that are left out.
        zero: what the targets do not mention is 0, not unmeasured.
        transform: what is done to the value of a bin.
        regions: BED file of what is neither learnt nor scored.
        renames: file of names of chromosomes, in the FASTA file and elsewhere.
    """

    bin_size: int
    exclude: Sequence[str] = ()
    zero: bool = False
    transform: Transform = "none"
    regions: Path | None = None
    renames: Path | None = None


def read_data(fasta: Path, targets: Sequence[Path], how: Reading) -> Data:
    """Reads everything.

    Raises:
        InputError: for files that are not what they should be, or do not fit each other.
    """
    genome = read_fasta(fasta, read_renames(how.renames))
    codes = {name: genome.codes[name] for name in genome.lengths if not matches(name, how.exclude)}
    if not codes:
        raise InputError(f"{fasta}: --exclude-chroms {','.join(how.exclude)} leaves no chromosome")
    lengths = {name: len(c) for name, c in codes.items()}
    tracks = read_tracks(targets, Bins(lengths, how.bin_size, fasta, how.exclude, how.zero))
    # a pattern may name what the signals alone have; one that matches nothing at all is a mistake
    known = dict.fromkeys([*genome.lengths, *(name for track in tracks for name in track.chroms)])
    matching(how.exclude, known, "--exclude-chroms", fasta)
    values = [_transformed(track, how.transform) for track in tracks]
    stacked = {name: np.stack([of_track[name] for of_track in values]) for name in codes}
    regions = {} if how.regions is None else read_regions(how.regions, genome.lengths, fasta)
    for name, rows in stacked.items():
        rows[:, find_unknown_bins(codes[name], how.bin_size)] = np.nan  # nothing can be learnt of a run of N, or scored
        rows[:, touched(regions.get(name, []), lengths[name], how.bin_size)] = np.nan
    return Data([track.name for track in tracks], codes, stacked)


def _transformed(track: Track, transform: Transform) -> dict[str, Values]:
    if transform != "none":
        lowest = min((float(np.nanmin(v)) for v in track.values.values() if not np.isnan(v).all()), default=0.0)
        if lowest < 0:
            raise InputError(f"{track.path}: a value is {lowest:g}; --transform {transform} is for values of 0 or more")
    return {chrom: TRANSFORMS[transform](values) for chrom, values in track.values.items()}
