"""Blind spots: pixels hidden from a network, which learns to tell them from their neighbours.

Krull et al. 2019, "Noise2Void - Learning Denoising from Single Noisy Images". What can be told from neighbours is the
image; noise that is independent between pixels cannot, and so is not learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BlindSpots:
    """Pixels that are hidden by a random neighbour's value, in all channels; the target is what was there.

    Attributes:
        share: of the pixels that are hidden; at least one is.
        radius: how far away the neighbour may be along an axis, pixels.
    """

    share: float = 0.02
    radius: int = 5

    factor = 1
    halo = 0

    def make_pair(self, pixels: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the image ``(C, *space)`` with hidden pixels, and what was there, NaN elsewhere."""
        space = pixels.shape[1:]
        hidden = rng.random(space) < self.share
        if not hidden.any():
            hidden[tuple(int(rng.integers(n)) for n in space)] = True
        shown, target = pixels.copy(), np.full_like(pixels, np.nan)
        target[:, hidden] = pixels[:, hidden]
        neighbours = self._find_neighbours(np.nonzero(hidden), space, rng)
        shown[:, hidden] = pixels.reshape(len(pixels), -1)[:, np.ravel_multi_index(neighbours, space)]
        return shown, target

    def _find_neighbours(
        self, places: tuple[NDArray[np.intp], ...], space: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], ...]:
        """A random neighbour of each place, never itself unless the image is that small."""
        side = 2 * self.radius + 1
        middle = side ** len(space) // 2
        drawn = rng.integers(0, side ** len(space) - 1, size=len(places[0]))
        offsets = np.unravel_index(drawn + (drawn >= middle), (side,) * len(space))
        found = []
        for place, offset, n in zip(places, offsets, space):
            moved = place + offset - self.radius
            back = place - offset + self.radius  # the other way, where an image ends
            found.append(np.clip(np.where((moved < 0) | (moved >= n), back, moved), 0, n - 1))
        return tuple(found)
