"""Labels of patches whose classes may overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.augment import sample
from multiunet.domains.image.files.lazy import Lazy, Pixels, Region
from multiunet.domains.image.files.overlapping import UNKNOWN, unpack

HALF = 0.5
"""Share of the sites around it that have a class from which on a place has it."""


def sample_overlapping(labels: Pixels, coordinates: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return for each of ``coordinates`` which classes it has: those of half the sites around it or more.

    Shares are the weights of linear interpolation, as of ``sample_labels``.

    Args:
        labels: bits of each pixel, ``space``.
        count: classes.

    Returns:
        1 where a place has the class, 0 where not, NaN where that is unknown, ``(count, *shape)``.
    """

    def read(region: Region) -> np.ndarray:
        bits = labels[region[1:]]
        return np.concatenate([np.nan_to_num(unpack(bits, count)), np.nan_to_num(unpack(bits >> UNKNOWN, count))])

    planes = Lazy((2 * count, *labels.shape), np.dtype(np.float32), read, (2 * count, *labels.shape))
    shares = sample(planes, coordinates)
    found = (shares[:count] >= HALF).astype(np.float32)
    found[shares[count:] >= HALF] = np.nan
    return found
