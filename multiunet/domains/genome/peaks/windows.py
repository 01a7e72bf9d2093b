"""Training windows around peaks, and around places without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiunet.domains.genome.chrom_splits import Withheld, hide_bases
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.dataset import Centres
from multiunet.domains.genome.peaks.negatives import Places, match_negatives
from multiunet.domains.genome.peaks.summits import read_summits
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.remarks import remark
from multiunet.errors import InputError


@dataclass(frozen=True)
class PeakCentres(Centres):
    """Summits or middles of peaks, and middles of negatives, each moved by up to ``jitter`` bases.

    Attributes:
        places: chromosome and base of each.
    """

    places: tuple[tuple[str, int], ...]
    jitter: int

    def __len__(self) -> int:
        return len(self.places)

    def draw(self, item: int, rng: np.random.Generator) -> tuple[str, int]:
        chrom, middle = self.places[item]
        return chrom, middle + int(rng.integers(-self.jitter, self.jitter + 1))


def place_peaks(config: GenomeTrain, data: Data, chroms: tuple[str, ...], withheld: Withheld) -> Places:
    """Read the peaks of some chromosomes, and draw their negatives.

    Args:
        withheld: regions in which neither have their middles.

    Raises:
        InputError: for a file that is not BED, or has no peak on these chromosomes.
    """
    assert config.peaks is not None
    found = read_regions(config.peaks, data.genome)
    for chrom, rows in withheld.items():
        inside = touched(rows, len(data.codes[chrom]), 1)
        found[chrom] = [row for row in found.get(chrom, []) if not inside[sum(row) // 2]]
    codes = hide_bases({chrom: data.codes[chrom] for chrom in chroms}, withheld)
    places = match_negatives(codes, found, config.seed, config.negatives)
    if not any(places.peaks.values()):
        raise InputError(f"{config.peaks}: has no peak on {', '.join(chroms)}, the chromosomes to train on")
    return places


def make_centres(config: GenomeTrain, data: Data, chroms: tuple[str, ...], withheld: Withheld) -> PeakCentres:
    """Return where training windows lie, and say how many negatives could not be matched."""
    places = place_peaks(config, data, chroms, withheld)
    assert config.peaks is not None
    summits = read_summits(config.peaks, data.genome)
    middles = [
        (chrom, found.pop(0) if (found := summits.get((chrom, *row))) else sum(row) // 2)
        for chrom, rows in places.peaks.items()
        for row in rows
    ]
    middles += [(chrom, sum(row) // 2) for chrom, rows in places.negatives.items() for row in rows]
    if places.unmatched:
        peaks = sum(map(len, places.peaks.values()))
        remark(
            f"{config.peaks}: {places.unmatched} of {round(config.negatives * peaks)} negatives are missing: no place "
            f"without a peak is left of like GC content (peaks {places.gc[0]:.0%}, elsewhere {places.gc[2]:.0%})"
        )
    window = config.bins_of_window() * config.bin_size
    return PeakCentres(tuple(middles), window // 8 if config.jitter is None else config.jitter)
