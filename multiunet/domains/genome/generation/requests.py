"""Requests of new DNA: lengths and, of sequences to fill in, their known bases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiunet.domains.genome.config import GenomeSample, GenomeTrain
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.names import read_renames
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.genome.sequence import UNKNOWN, Codes
from multiunet.errors import InputError
from multiunet.models.genomic import bin_strides


@dataclass(frozen=True)
class Request:
    """Sequence of which some samples are wanted.

    Attributes:
        name: of the samples, before their number.
        length: bases.
        known: bases to keep, ``(length,)``, unknown where they are filled in; None: all are made.
    """

    name: str
    length: int
    known: Codes | None = None


def read_requests(options: GenomeSample, config: GenomeTrain, info: GenomeInfo) -> list[Request]:
    """Return what the options ask for.

    Raises:
        InputError: for a length below the coarsest level, or a file with nothing to fill in.
    """
    if options.given is None:
        requests = [Request("sample", options.length or info.window)]
    else:
        requests = _read_given(options.given, options.regions, config)
    coarsest = math.prod(bin_strides(len(config.widths)))
    for request in requests:
        if request.length < coarsest:
            what = "`length`" if options.given is None else f"{options.given}: {request.name}"
            raise InputError(
                f"{what}: {request.length} bases are fewer than a site of the network's coarsest level, {coarsest}; "
                "ask for more, or train with fewer `widths`"
            )
    return requests


def _read_given(path: Path, bed: Path | None, config: GenomeTrain) -> list[Request]:
    genome = read_fasta(path, read_renames(config.rename_chroms))
    regions = {} if bed is None else read_regions(bed, genome)
    found = []
    for name, length in genome.lengths.items():
        codes = genome.codes[name]
        known = np.where(touched(regions.get(name, []), length, 1), np.uint8(UNKNOWN), codes)
        if (known == UNKNOWN).any():
            found.append(Request(name, length, known))
    if not found:
        raise InputError(
            f"{path}: no base is unknown, so there is nothing to fill in; write N where bases are wanted, or name "
            "places by `regions`"
        )
    return found
