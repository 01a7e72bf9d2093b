"""Places in a genome as people write them: ``chrIV:1,000-1,500``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.genome.intervals import read_names
from multiunet.domains.genome.names import listed, match_chromosomes
from multiunet.domains.genome.regions import read_known
from multiunet.domains.genome.sequence import Genome
from multiunet.errors import InputError

REGION = re.compile(r"(?P<chrom>.+):(?P<first>[0-9][0-9,]*)-(?P<last>[0-9][0-9,]*)")


@dataclass(frozen=True)
class Place:
    """Stretch of a chromosome.

    Attributes:
        start, stop: bases, 0-based and half-open.
        name: fourth column of a BED file; empty where there is none.
    """

    chrom: str
    start: int
    stop: int
    name: str

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def label(self) -> str:
        """The name, if there is one, and the place, for files."""
        where = f"{self.chrom}_{self.start + 1}-{self.stop}"
        return f"{self.name}_{where}" if self.name else where

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
    matched = match_chromosomes(f"`region={text}`", [chrom], genome, genome.path)
    if chrom not in matched:
        raise InputError(f"`region={text}`: {genome.path.name} has no {chrom}; it has {listed(genome.lengths)}")
    chrom = matched[chrom]
    length = genome.lengths[chrom]
    if not 1 <= first <= last <= length:
        raise InputError(f"`region={text}`: {chrom} has bases 1 to {length:,}, and FIRST is no larger than LAST")
    return Place(chrom, first - 1, last, "")


def read_places(path: Path, genome: Genome) -> list[Place]:
    """Read the regions of a BED file in its order, each with its name, the fourth column.

    Regions of chromosomes that the genome does not have are left out, which is said.

    Raises:
        InputError: for a file that is not BED, no chromosome in common, or a region beyond its chromosome.
    """
    names, places = read_names(path), {}
    for chrom, rows in read_known(path, genome).items():
        for start, stop, line in zip(rows.starts.tolist(), rows.ends.tolist(), rows.lines.tolist()):
            name = names.get(line, "")
            places[line] = Place(chrom, start, stop, "" if name == "." else name)
    return [places[line] for line in sorted(places)]
