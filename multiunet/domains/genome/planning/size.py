"""Size of a network and of its windows, from how many bases there are to learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.planning.length import Decided
from multiunet.domains.planned import is_open
from multiunet.models.genomic import bin_strides


@dataclass(frozen=True)
class Size:
    """Size of a network that genomes up to a number of bases can teach.

    Attributes:
        bases: to train on, at most.
        like: such a genome, in words.
        widths, stem: channels of the U-Net by level, and of the tower.
        window: bases of a training window; None: the default.
        attention: kind of attention of the coarsest level.
    """

    bases: float
    like: str
    widths: tuple[int, ...]
    stem: int
    window: int | None
    attention: str


SIZES = (
    Size(6e7, "of a microbe or a yeast", (32, 32, 64, 64), 16, None, "none"),
    Size(6e8, "of a fly, a worm or a cress", (64, 64, 128, 128), 32, 1 << 16, "none"),
    Size(math.inf, "of a fish or a mammal", (128, 128, 256, 256), 64, 1 << 17, "window"),
)


def choose_size(bases: int) -> Size:
    """Return the size for so many bases to train on."""
    return next(size for size in SIZES if bases <= size.bases)


def decide_size(config: GenomeTrain, bases: int, longest: int) -> Decided:
    """Decide channels, window and attention; given settings stay.

    Args:
        bases: to train on.
        longest: bins of the longest chromosome to train on.
    """
    size = choose_size(bases)
    found: Decided = {}
    if is_open(config, "widths"):
        why = f"{bases:,} bases to train on, as {size.like}; larger networks over-fit fewer"
        found["widths"] = (list(size.widths), why)
    if is_open(config, "stem_channels"):
        found["stem_channels"] = (size.stem, "half as many as the finest level; nearly all work is done at the bases")
    levels = len(found["widths"][0]) if "widths" in found else len(config.widths)
    if is_open(config, "window") and size.window is not None:
        coarsest = math.prod(bin_strides(levels))
        wanted = max(config.bins_of_window(), -(-size.window // config.bin_size))
        bins = max(min(wanted, 2 * longest) // coarsest, 2) * coarsest
        found["window"] = (bins, f"{bins * config.bin_size:,} bases, to see enhancers")
    if is_open(config, "attention"):
        why = {
            "none": "few windows teach few distances: convolutions alone",
            "window": "at the bottom of the U, as Borzoi and AlphaGenome have it, for genomes as large",
        }[size.attention]
        found["attention"] = (size.attention, why)
    return found
