"""Dots that are given as masks or as quantities by mistake."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from multiunet.domains.image.files.lazy import Pixels
from multiunet.domains.remarks import remark

LOOKED_AT = 8
"""Most training files that are looked at."""

WINDOW = 1 << 20
"""Most pixels of such a file: its first rows."""

FILLED = 0.05
"""Share of the pixels, at most, that dots take."""

LONE = 0.9
"""Share of the dots, at least, that touch no other."""


@dataclass
class DotCheck:
    """Collect training masks or targets while they are read; ``warn`` says that they look like dots."""

    looked_at: int = 0
    dots: int = 0
    others: int = 0

    def add(self, labels: Pixels) -> None:
        """Add a mask, or a channel of a target, ``space``."""
        if self.looked_at == LOOKED_AT or self.others:
            return
        self.looked_at += 1
        marks = np.asarray(labels[: max(1, WINDOW // math.prod(labels.shape[1:]))]) != 0
        if marks.any():  # a file without any says nothing
            found = _count_dots(marks)
            self.dots += found
            self.others += found == 0

    def warn(self, folder: Path, what: str, fix: str) -> None:
        """Warn where all files that were looked at show dots.

        Args:
            what: the files, in the plural.
            fix: settings to pass.
        """
        if self.dots and not self.others:
            remark(
                f"{folder}: the {what} are 0 but for {self.dots} lone pixels in {self.looked_at} files, which look "
                f"like dots, one for each object; to count objects, pass {fix}"
            )


def _count_dots(marks: NDArray[np.bool_]) -> int:
    """Count lone pixels; 0 where they fill too much, or too many touch, to be dots."""
    if np.count_nonzero(marks) > FILLED * marks.size:
        return 0
    sizes = np.bincount(label(marks, np.ones((3,) * marks.ndim))[0].ravel())[1:]
    lone = int(np.count_nonzero(sizes == 1))
    return lone if lone >= LONE * len(sizes) else 0
