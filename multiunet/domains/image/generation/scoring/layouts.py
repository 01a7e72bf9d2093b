"""Agreement of images with the maps they are made from, as far as brightness tells classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from multiunet.metrics.image_sets import Floats, Images

LEVELS = 64
"""Grey levels that classes are told apart by, equally frequent."""

SMOOTH = 1.0
"""Deviation of the Gaussian filter before that, pixels."""


@dataclass(frozen=True)
class BrightnessClasses:
    """Classes of pixels by their brightness alone, the most frequent one of each grey level.

    Attributes:
        edges: between grey levels, ``(LEVELS - 1,)``.
        classes: of each grey level, ``(LEVELS,)``.
    """

    edges: Floats
    classes: NDArray[np.int64]

    @staticmethod
    def fit(images: Images, layouts: Images) -> BrightnessClasses:
        """Learn which class is the most frequent one at each grey level.

        Args:
            images: ``(N, C, *space)``.
            layouts: their maps, one channel a class, ``(N, K, *space)``; 0 in all where nothing is known.
        """
        grey = _smooth(images)
        edges = np.quantile(grey.astype(np.float64), np.arange(1, LEVELS) / LEVELS)
        level = np.searchsorted(edges, grey)
        counts = [np.bincount(level[layouts[:, k] > 0], minlength=LEVELS) for k in range(layouts.shape[1])]
        return BrightnessClasses(edges, np.stack(counts).argmax(axis=0))

    def score(self, images: Images, layouts: Images) -> dict[str, float | None]:
        """Return how well the brightness of images agrees with their maps.

        ``layout_agreement`` is the share of the pixels whose brightness says the class of the map,
        ``fraction_error`` the mean over classes of the difference between the shares found and those of the map.
        Both are None where no map says anything.
        """
        known = layouts.sum(axis=1) > 0
        if not known.any():
            return {"layout_agreement": None, "fraction_error": None}
        found = self.classes[np.searchsorted(self.edges, _smooth(images))][known]
        true = layouts.argmax(axis=1)[known]
        shares = [np.bincount(part, minlength=layouts.shape[1]) / true.size for part in (found, true)]
        return {
            "layout_agreement": float((found == true).mean()),
            "fraction_error": float(np.abs(shares[0] - shares[1]).mean()),
        }


def _smooth(images: Images) -> Images:
    grey = images.mean(axis=1)
    return np.stack([gaussian_filter(image, SMOOTH) for image in grey])
