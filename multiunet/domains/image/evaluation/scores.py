"""Scores of images: objects, counts that densities sum up to, and how good restored images are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from torch import Tensor

from multiunet.metrics import InstanceMatcher, mean_of_defined
from multiunet.metrics.autocorrelation import LAGS, autocorrelation, compare_texture
from multiunet.metrics.pictures import compare_sharpness, compute_psnr, compute_ssim
from multiunet.metrics.values import quotient
from multiunet.tasks import Curves, RegressionScore
from multiunet.tasks.score import Score, Scores
from multiunet.uncertainty import Calibration, Moments


class InstanceScore(Score):
    """Average precision and counts of objects over all images.

    Predictions are numbered objects, ``(1, 1, *space)``, not probabilities, or ``(1, 2, *space)`` with the rank of each
    pixel's object behind; targets are true objects, ``(1, *space)``: 1, 2, ...; 0 outside, -1 where it does not count.
    An image comes in one piece.
    """

    monitor = "ap_mean"

    def __init__(self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None) -> None:
        self._matcher = InstanceMatcher()

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        confidence = predicted[0, 1].numpy() if predicted.shape[1] > 1 else None
        self._matcher.update(predicted[0, 0].long().numpy(), target[0].numpy(), confidence)

    def merge(self, other: Self) -> None:
        self._matcher.add(other._matcher)

    def result(self) -> Scores:
        return dict(self._matcher.scores())


@dataclass
class CountScore(Score):
    """Scores of a density, beside them of the counts that it sums up to, image by image.

    Attributes:
        density: the scores of the density's pixels.
    """

    monitor = "r2"

    density: RegressionScore
    _one: list[tuple[float, float]] = field(default_factory=list)  # predicted and true, of the pieces of this item
    _items: list[tuple[float, float]] = field(default_factory=list)

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self.density.add(predicted, target, moments)
        self._one.append((float(predicted.double().sum()), float(target.double().sum())))

    def merge(self, other: Self) -> None:
        self.density.merge(other.density)
        self._items += other._counted()

    def _counted(self) -> list[tuple[float, float]]:
        return [*self._items, *([tuple(np.sum(self._one, axis=0).tolist())] if self._one else [])]

    def result(self) -> Scores:
        """Return the scores of the density and of the counts.

        ``objects`` and ``true_objects`` are counted in all images; ``count_mae`` is the mean over images of the
        absolute error of the count, ``count_bias`` of the error itself, and ``count_error`` the sum of absolute errors
        as a share of the true objects (None without any).
        """
        found, true = np.array(self._counted()).T
        return {
            **self.density.result(),
            "count_mae": float(np.abs(found - true).mean()),
            "count_bias": float((found - true).mean()),
            "count_error": quotient(float(np.abs(found - true).sum()), float(true.sum())),
            "objects": float(found.sum()),
            "true_objects": float(true.sum()),
        }

    def relative_error(self, scale: Sequence[float]) -> float:
        """Return that of the density; see ``RegressionScore``."""
        return self.density.relative_error(scale)

    def curves(self) -> Sequence[Curves]:
        return self.density.curves()


TEXTURE_MATCH = "texture_match"
"""Score of the two-point correlation, which chooses the best epoch of networks that draw plausible pictures."""

FEWEST_KNOWN = 0.5
"""Share of an image's target that is known at least where the image is judged as a picture."""

PICTURE = ("psnr", "ssim", "sharpness", TEXTURE_MATCH)
"""Scores of one image as a picture."""

TEXTURES = ("autocorrelation_by", "true_autocorrelation_by")
"""Scores of a picture that are tables, a number for each distance of two pixels."""


@dataclass
class PictureScore(Score):
    """Scores of restored images: those of their pixels, and what a viewer sees.

    An image comes in one piece.

    Attributes:
        pixels: the scores of all pixels.
        data_range: numbers that targets can have, from the least to the largest.
    """

    monitor = "r2"

    pixels: RegressionScore
    data_range: float
    _items: list[dict[str, float | None]] = field(default_factory=list)
    _textures: list[tuple[list[float | None], list[float | None]]] = field(default_factory=list)

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self.pixels.add(predicted, target, moments)
        for found, true in zip(predicted.cpu().numpy(), target.cpu().numpy()):
            self._items.append(self._judge(found, true))

    def _judge(self, found: np.ndarray, true: np.ndarray) -> dict[str, float | None]:
        known = ~np.isnan(true)
        if known.mean() < FEWEST_KNOWN:  # such as the hidden pixels of a noisy image
            return dict.fromkeys(PICTURE)
        self._textures.append((autocorrelation(np.where(known, found, np.nan)), autocorrelation(true)))
        error = float(np.square(found[known].astype(np.float64) - true[known]).mean())
        return {
            "psnr": compute_psnr(error, self.data_range),
            "ssim": compute_ssim(found, true, self.data_range),
            "sharpness": compare_sharpness(found, true),
            TEXTURE_MATCH: compare_texture(found, true),
        }

    def merge(self, other: Self) -> None:
        self.pixels.merge(other.pixels)
        self._items += other._items
        self._textures += other._textures

    def result(self) -> Scores:
        """Return the scores of the pixels and of the pictures.

        ``psnr`` (decibels), ``ssim``, ``sharpness`` and ``texture_match`` are means over images, see
        ``multiunet.metrics.pictures`` and ``autocorrelation``; ``data_range`` is what the first two refer to.
        ``autocorrelation_by`` is that of the predictions and ``true_autocorrelation_by`` that of the targets, by the
        pixels that lie between.
        """
        means: Scores = {name: mean_of_defined(one[name] for one in self._items) for name in PICTURE}
        for name, curves in zip(TEXTURES, zip(*self._textures)):
            means[name] = {str(lag): mean_of_defined(values) for lag, values in zip(LAGS, zip(*curves))}
        return {**means, "data_range": self.data_range, **self.pixels.result()}

    def relative_error(self, scale: Sequence[float]) -> float:
        """Return that of the pixels; see ``RegressionScore``."""
        return self.pixels.relative_error(scale)

    def curves(self) -> Sequence[Curves]:
        return self.pixels.curves()
