"""Effects of all single-base changes of a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.places import Place
from multiunet.domains.genome.sequence import Codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mutagenesis:
    """Effects of all single-base changes of a place.

    Attributes:
        codes: bases that are there, ``(bases,)``.
        effect: change of the sum over the bins, ``(tracks, A C G T, bases)``; 0 for the base that is there, NaN where
            that is unknown.
        effect_sd: deviation of each change over samples and runs; NaN where there is only one.
        contribution: of the base that is there, ``(tracks, bases)``: minus the mean of the three changes.
        contribution_sd: deviation of it.
    """

    place: Place
    tracks: tuple[str, ...]
    codes: Codes
    effect: Floats
    effect_sd: Floats
    contribution: Floats
    contribution_sd: Floats
