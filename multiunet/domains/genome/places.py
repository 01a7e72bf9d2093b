"""Places in a genome as people write them: ``chrIV:1,000-1,500``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multiunet.domains.genome.names import match_chromosomes
from multiunet.domains.genome.sequence import Genome
from multiunet.errors import InputError

REGION = re.compile(r"(?P<chrom>.+):(?P<first>[0-9][0-9,]*)-(?P<last>[0-9][0-9,]*)")


@dataclass(frozen=True)
class Place:
    """Stretch of a chromosome.

    Attributes:
        start, stop: bases, 0-based and half-open.
        name: for files and titles.
    """

    chrom: str
    start: int
    stop: int
    name: str

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def words(self) -> str:
        """The place as people write it, first and last base counted from 1."""
        return f"{self.chrom}:{self.start + 1:,}-{self.stop:,}"


def parse_place(text: str, genome: Genome) -> Place:
    """Return the place ``CHROM:FIRST-LAST``: first and last base counted from 1, as browsers do.

    Raises:
        InputError: for another text, a chromosome that the genome does not have, or a place beyond its end.
    """
    found = REGION.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"`region={text}`: write CHROM:FIRST-LAST, first and last base counted from 1: chrIV:1000-1500"
        )
    chrom, first, last = found["chrom"], *(int(found[name].replace(",", "")) for name in ("first", "last"))
    matched = match_chromosomes(genome.path, [chrom], genome, genome.path)
    if chrom not in matched:
        names = ", ".join(list(genome.lengths)[:12])
        raise InputError(f"`region={text}`: {genome.path.name} has no {chrom}; it has {names}")
    chrom = matched[chrom]
    length = genome.lengths[chrom]
    if not 1 <= first <= last <= length:
        raise InputError(f"`region={text}`: {chrom} has bases 1 to {length:,}, and FIRST is no larger than LAST")
    return Place(chrom, first - 1, last, f"{chrom}_{first}-{last}")
