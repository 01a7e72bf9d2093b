"""Windows about stretches of a chromosome, on the bins that a prediction of it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.places import Place
from multiunet.domains.genome.sequence import UNKNOWN, Codes, cut

SHARE = 8
"""A window is so many times as long as the stretch in its middle, about."""


@dataclass(frozen=True)
class Panel:
    """Window of a chromosome with a stretch in its middle.

    Attributes:
        first: base of the chromosome that the window begins with; may be negative.
        codes: bases of the window, whole bins, unknown beyond the chromosome's ends.
        counted: bins whose prediction counts, ``(bins,)``: not those at the ends, which training does not score either,
            nor those without a known base.
        places: of the stretch's bases in the window.
    """

    first: int
    codes: Codes
    counted: NDArray[np.bool_]
    places: NDArray[np.int64]


def cut_panels(place: Place, codes: Codes, config: GenomeTrain) -> Iterator[Panel]:
    """Yield windows as long as those of training, whose middles partition a place.

    Middles are the same stretches of the chromosome whatever the place, so a base has the same result in each.
    """
    size, bins = config.bin_size, config.bins_of_window()
    core = max(1, bins // SHARE)
    for index in range(place.start // (core * size), -(-place.stop // (core * size))):
        start, stop = max(place.start, index * core * size), min(place.stop, (index + 1) * core * size)
        yield make_panel(codes, (index * core - (bins - core) // 2) * size, start, stop, config)


def make_panel(codes: Codes, first: int, start: int, stop: int, config: GenomeTrain) -> Panel:
    """Return the window that begins at base ``first``, about bases ``[start, stop)`` of the chromosome."""
    size, bins = config.bin_size, config.bins_of_window()
    window = cut(codes, first, first + bins * size)
    counted: NDArray[np.bool_] = (window.reshape(bins, size) != UNKNOWN).any(axis=1)
    context = config.bins_of_context()
    counted[:context] = counted[bins - context :] = False
    return Panel(first, window, counted, np.arange(start, stop) - first)
