"""All of a run's data in memory, read once: one byte a base, one number a bin and track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.fasta import Codes, read_fasta, without_bases
from multiunet.domains.genome.names import matches, matching
from multiunet.domains.genome.tracks import read_tracks
from multiunet.errors import InputError

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """Sequences and signals of the chromosomes that a run uses.

    Attributes:
        names: of the tracks.
        codes: bases by chromosome, in the order of the FASTA file.
        targets: ``(tracks, bins)`` by chromosome; NaN where not measured, or where no base is known.
    """

    names: list[str]
    codes: dict[str, Codes]
    targets: dict[str, Values]


def read_data(fasta: Path, targets: Sequence[Path], bin_size: int, exclude: Sequence[str], zero: bool = False) -> Data:
    """Reads everything.

    Args:
        zero: what the targets do not mention is 0, not unmeasured.

    Raises:
        InputError: for files that are not what they should be, or do not fit each other.
    """
    genome = read_fasta(fasta)
    codes = {name: codes for name, codes in genome.codes.items() if not matches(name, exclude)}
    if not codes:
        raise InputError(f"{fasta}: --exclude-chroms {','.join(exclude)} leaves no chromosome")
    tracks = read_tracks(targets, {name: len(c) for name, c in codes.items()}, bin_size, fasta, exclude, zero)
    # a pattern may name what the signals alone have; one that matches nothing at all is a mistake
    known = dict.fromkeys([*genome.codes, *(name for track in tracks for name in track.chroms)])
    matching(exclude, known, "--exclude-chroms", fasta)
    stacked = {name: np.stack([track.values[name] for track in tracks]) for name in codes}
    for name, values in stacked.items():
        values[:, without_bases(codes[name], bin_size)] = np.nan  # nothing can be learnt of a run of N, or scored
    return Data([track.name for track in tracks], codes, stacked)
