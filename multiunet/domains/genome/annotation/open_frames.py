"""Do coding sequences have open reading frames? Those of another assembly have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from multiunet.domains.genome.annotation.classes import Classes
from multiunet.domains.genome.annotation.orfs import STOPS
from multiunet.domains.genome.sequence import Codes, reverse_complement
from multiunet.domains.remarks import remark

CODING = ("CDS", "ORF")
"""Types that are read by codons, each feature in one frame."""

SHORTEST = 300
"""Bases of a feature that is looked at: of random ones of this length one in forty is open in some frame."""

FEWEST = 20
"""Features that say something of the file."""

MOST = 1000
"""Features that are looked at, from all over the genome."""

OPEN = 0.5
"""Share of open features below which the positions seem to be wrong; of true ones nearly all are open."""


def check_open(path: Path, fasta: Path, classes: Classes, codes: Mapping[str, Codes]) -> None:
    """Warn where most coding sequences have a stop in each frame.

    Then positions or strands are not those of the genome.
    """
    places = [
        (name[-1], chrom, start, end)
        for name, of_class in zip(classes.names, classes.places)
        if name[:-1] in CODING and name[-1] in "+-"
        for chrom, rows in of_class.items()
        for start, end in rows
        if chrom in codes and end - start >= SHORTEST
    ]
    places = places[:: -(-len(places) // MOST) or 1]
    if len(places) < FEWEST:
        return
    share = _share_of_open(codes[chrom][start:end] if strand == "+" else reverse_complement(codes[chrom][start:end])
                           for strand, chrom, start, end in places)  # fmt: skip
    if share < OPEN:
        remark(
            f"{path}: only {share:.0%} of {len(places)} coding sequences looked at have a reading frame without "
            f"a stop in {fasta.name}: are their positions those of another assembly, or their strands wrong?"
        )


def _share_of_open(sequences: Iterable[Codes]) -> float:
    return float(np.mean([any(_is_open(sequence[frame:-3]) for frame in range(3)) for sequence in sequences]))


def _is_open(sequence: Codes) -> bool:
    """Return whether a sequence has no stop in its first frame."""
    codons = sequence[: len(sequence) - len(sequence) % 3].reshape(-1, 3)
    return not any((codons == stop).all(axis=1).any() for stop in STOPS)
