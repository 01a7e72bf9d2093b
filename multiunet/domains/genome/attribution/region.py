"""Contributions of the bases of a place to its prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.places import Place
from multiunet.domains.genome.sequence import Codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """Place with the contributions of its bases to the predicted sum of each track.

    Attributes:
        codes: of its bases.
        hypothetical: ``(tracks, A C G T, bases)``; the mean over samples and runs.
        contribution: of the bases that are there, ``(tracks, bases)``; 0 where unknown.
        contribution_sd: deviation over samples and runs; NaN where there is only one.
        prediction: sum that is shared out, ``(tracks,)``.
        blank: the same sum where all bases of the region are alike likely.
    """

    place: Place
    codes: Codes
    hypothetical: Floats
    contribution: Floats
    contribution_sd: Floats
    prediction: Floats
    blank: Floats
