"""Image and prediction as a page shows them: one section, thinned, put together piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.files.lazy import Region
from multiunet.domains.labelled import Piece

SIDE = 360
"""Longest side of a picture, pixels; of larger images every second pixel is shown, or every third."""

Array = NDArray[Any]

Decide = Callable[[Tensor], Tensor | None]
"""Function that returns the classes of probabilities ``(N, names, *space)``."""


@dataclass(frozen=True)
class Window:
    """Part of an image that is shown: of a volume one section, and every ``step``-th pixel.

    Attributes:
        section: index on the first axis of a volume; None: an image.
        sections: how many the volume has.
    """

    step: int
    section: int | None = None
    sections: int = 0

    @classmethod
    def of(cls, space: tuple[int, ...]) -> Window:
        """Return the window of an image or volume of this shape: of a volume the middle section."""
        step = max(1, -(-max(space[-2:]) // SIDE))
        return cls(step) if len(space) == 2 else cls(step, space[0] // 2, space[0])

    def region(self) -> Region:
        """Return the pixels that are shown, as slices of an image or volume."""
        thinned = (slice(None, None, self.step),) * 2
        return thinned if self.section is None else (slice(self.section, self.section + 1), *thinned)

    def take(self, part: Array, region: Region | None) -> tuple[Array, Region] | None:
        """Return what is shown of a region's array ``(..., *region)``, and where; None: nothing of it.

        Args:
            region: slices of the image; None: all of it.
        """
        whole = tuple(slice(0, side) for side in part.shape[-(2 if self.section is None else 3) :])
        given = whole if region is None else region
        if self.section is not None:
            if not given[0].start <= self.section < given[0].stop:
                return None
            part = part[..., self.section - given[0].start, :, :]
        axes = given[-2:]
        firsts = [-(-axis.start // self.step) * self.step for axis in axes]
        inner = tuple(slice(first - axis.start, None, self.step) for first, axis in zip(firsts, axes))
        outer = tuple(slice(f // self.step, (a.stop - 1) // self.step + 1) for f, a in zip(firsts, axes))
        rows, columns = inner
        return part[..., rows, columns], outer

    def describe(self) -> str:
        """Say what is shown, in words; nothing of a whole image."""
        words = [] if self.section is None else [f"section {self.section + 1} of {self.sections}"]
        ordinal = {2: "second", 3: "third"}.get(self.step, f"{self.step}th")
        return ", ".join([*words, *([f"every {ordinal} pixel"] if self.step > 1 else [])])


Combine = Callable[[Array], Array]
"""Function that makes one number a pixel, ``region``, of yes and no of each class, ``(K, *region)``."""

DRAWN = 24
"""Classes that may overlap, of which that many fit into a float32."""


def join_labels(labels: Array) -> Array:
    """Return yes and no of each class, ``(K, *region)``, as bits of one number; NaN where one is unknown.

    Of more than ``DRAWN`` classes the first are taken.
    """
    first = labels[:DRAWN].astype(np.float32)
    weights = (2.0 ** np.arange(len(first))).astype(np.float32).reshape(-1, *(1,) * (first.ndim - 1))
    joined: Array = (first * weights).sum(axis=0)
    return joined


class Sketch:
    """Truth and prediction of one image, as they are shown, ``(height, width)`` each.

    Args:
        decide: returns the classes of probabilities; None: of objects and quantities.
        combine: makes one number a pixel of classes that may overlap; None: they exclude each other.

    Attributes:
        truth, predicted: classes, numbered objects, or the first quantity; NaN where nothing is known.
        spread: total variance, of classes the sum over them.
    """

    def __init__(self, space: tuple[int, ...], decide: Decide | None, combine: Combine | None = None) -> None:
        self.window, self.decide, self.combine = Window.of(space), decide, combine
        shape = tuple(-(-side // self.window.step) for side in space[-2:])
        self.truth, self.predicted, self.spread = (np.full(shape, np.nan, np.float32) for _ in range(3))

    def add(self, piece: Piece) -> None:
        """Take what is shown of a piece: classes, objects, or quantities."""
        predicted, target = piece.predicted[0].cpu().numpy(), piece.target[0].cpu().numpy()
        chosen = None if self.decide is None else self.decide(piece.predicted)
        if self.combine is not None and chosen is not None:
            self._put(self.predicted, self.combine(chosen[0].cpu().numpy()), piece.region)
            self._put(self.truth, self.combine(target), piece.region)
            self._put_spread(piece, True)
            return
        self._put(self.predicted, predicted[0] if chosen is None else chosen[0].cpu().numpy(), piece.region)
        # of quantities the first one
        self._put(self.truth, target[0] if target.ndim == predicted.ndim else target, piece.region)
        moments = piece.moments
        several = moments is not None and moments.mean.shape[1] != len(predicted)
        self._put_spread(piece, self.decide is not None or several or target.ndim != predicted.ndim)

    def _put_spread(self, piece: Piece, summed: bool) -> None:
        """Take the total variance, summed over classes, or that of the first quantity."""
        if piece.moments is not None:
            total = (piece.moments.epistemic + piece.moments.aleatoric)[0].cpu().numpy()
            self._put(self.spread, total.sum(axis=0) if summed else total[0], piece.region)

    def _put(self, whole: Array, part: Array, region: Region | None) -> None:
        if (taken := self.window.take(part, region)) is not None:
            whole[taken[1]] = taken[0]
