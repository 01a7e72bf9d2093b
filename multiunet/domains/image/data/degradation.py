"""Degradations that make training pairs from clean images: noise, blur and fewer pixels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from multiunet.domains.image.config.degradations import read_degradation
from multiunet.domains.image.data.resize import TAPS, average_areas, enlarge

Floats = NDArray[np.float32]

REACH = 4.0
"""Deviations at which a blur ends."""


class Degradation(ABC):
    """One step from a clean image to a degraded one.

    Attributes:
        factor: by how many times fewer sites an axis then has.
        reach: sites on either side that a site of the result looks at.
    """

    factor: int = 1
    reach: int = 0

    @abstractmethod
    def __call__(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        """Return the image ``(C, *space)`` degraded."""


@dataclass(frozen=True)
class Noise(Degradation):
    """Gaussian noise of each site and channel, in the image's own numbers; neither rounded nor cut off."""

    deviation: float

    def __call__(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        noisy: Floats = pixels + np.float32(self.deviation) * rng.standard_normal(pixels.shape, dtype=np.float32)
        return noisy


@dataclass(frozen=True)
class Blur(Degradation):
    """Gaussian blur, of a deviation in sites."""

    deviation: float

    @property
    def reach(self) -> int:  # type: ignore[override]
        """Sites at which the Gaussian ends."""
        return math.ceil(REACH * self.deviation)

    def __call__(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        deviations = (0, *(self.deviation,) * (pixels.ndim - 1))
        blurred: Floats = gaussian_filter(pixels, deviations, mode="mirror", truncate=REACH)
        return blurred


@dataclass(frozen=True)
class Down(Degradation):
    """Fewer sites: areas of ``factor`` sites an axis become their mean."""

    factor: int

    def __call__(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        return average_areas(pixels, self.factor)


@dataclass(frozen=True)
class Degrading:
    """Degradations in their order; at the end fewer sites become as many again, by bicubic interpolation.

    The network so reads an image on the sites of the clean one. A step behind ``Down`` degrades the small image.
    """

    steps: tuple[Degradation, ...]

    @property
    def factor(self) -> int:
        """Ratio of the sites along an axis of the clean image to those left when the steps are done."""
        return math.prod(step.factor for step in self.steps)

    @property
    def halo(self) -> int:
        """Sites beyond a patch that its sites depend on, a multiple of ``factor``."""
        reach, scale = 0, 1
        for step in self.steps:
            reach, scale = reach + step.reach * scale, scale * step.factor
        if self.factor > 1:
            reach += TAPS * self.factor
        return -(-reach // self.factor) * self.factor

    def __call__(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        """Return the image ``(C, *space)`` degraded, on its own sites."""
        space = pixels.shape[1:]
        for step in self.steps:
            pixels = step(pixels, rng)
        return enlarge(pixels, self.factor, space) if self.factor > 1 else pixels

    def make_pair(self, pixels: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the degraded image and the image itself, ``(C, *space)`` each."""
        return self(pixels, rng), pixels


MAKERS: dict[str, Callable[[float], Degradation]] = {"noise": Noise, "blur": Blur, "down": lambda n: Down(int(n))}


def make_degrading(texts: Sequence[str]) -> Degrading:
    """Return the degradations that texts name, in their order; for errors see ``read_degradation``."""
    return Degrading(tuple(MAKERS[kind](amount) for kind, amount in map(read_degradation, texts)))
