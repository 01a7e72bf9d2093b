"""Effects of alleles: changes of the prediction, with the deviation of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.genome.sequence import UNKNOWN, Codes, one_hot
from multiunet.domains.genome.variants.alleles import Allele
from multiunet.domains.genome.variants.frames import Frame, Window, join, make_frames
from multiunet.domains.model import Model
from multiunet.prediction.field import count_samples, predict_field
from multiunet.prediction.run import READ_SITES

Floats = NDArray[np.float64]

CPU_SITES = 1 << 18
"""Bases of a batch where batches save little time."""


@dataclass(frozen=True)
class Effect:
    """Change of each track by an allele, alternative less reference, over the bins of a window.

    All are ``(tracks,)``, NaN where they are not defined. Deviations are those of the change over Monte-Carlo samples
    and runs, each of which reads both alleles with the same thinned network.

    Attributes:
        sum: of the change over the bins.
        largest: change of the bin that changes most.
        log_ratio: binary logarithm of the ratio of the sums over the bins; where both are positive.
        l2: root of the sum of squares of the mean change.
    """

    sum: Floats
    sum_sd: Floats
    largest: Floats
    largest_sd: Floats
    log_ratio: Floats
    log_ratio_sd: Floats
    l2: Floats

    @property
    def sum_z(self) -> Floats:
        """``sum`` in its deviations; NaN where there is none."""
        return _in_deviations(self.sum, self.sum_sd)

    @property
    def largest_z(self) -> Floats:
        """``largest`` in its deviations; NaN where there is none."""
        return _in_deviations(self.largest, self.largest_sd)


@dataclass(frozen=True)
class Effects:
    """Scores of alleles with one model.

    Args:
        window: in which the bins of both alleles are compared.
        shifts: places of a variant within its bin over which scores are averaged.
        samples, seed: of Monte-Carlo dropout.
    """

    model: Model
    device: torch.device
    window: Window
    shifts: int = 2
    samples: int = 16
    seed: int = 0

    @property
    def batch(self) -> int:
        """Windows of a batch; both strands of each are read."""
        sites = CPU_SITES if self.device.type == "cpu" else READ_SITES
        return max(1, sites // (2 * self.window.bases))

    def score(self, alleles: Sequence[Allele]) -> list[Effect]:
        """Return the effect of each allele; of one that changes nothing exactly 0."""
        frames = [make_frames(allele, self.window, self.shifts) if allele.is_change else [] for allele in alleles]
        windows = [codes for several in frames for frame in several for pair in frame.pairs for codes in pair]
        tracks = iter(self.predict(windows))
        taken = [[[next(tracks) for _ in range(2 * len(frame.pairs))] for frame in several] for several in frames]
        return [self._combine(several, parts) for several, parts in zip(frames, taken)]

    def predict(self, windows: Sequence[Codes]) -> list[Floats]:
        """Return each window's means by sample, ``(samples, tracks, bins)``; NaN in bins that do not count."""
        found: list[Floats] = []
        for first in range(0, len(windows), self.batch):
            batch = windows[first : first + self.batch]
            field = torch.from_numpy(np.stack([one_hot(codes) for codes in batch])).to(self.device)
            kept: list[Floats] = [np.empty(0)] * count_samples(self.model.net, self.samples)

            def keep(t: int, mean: torch.Tensor, kept: list[Floats] = kept) -> None:
                kept[t] = mean.double().cpu().numpy()

            model = self.model
            predict_field(model.net, model.task, model.geometry, field, self.samples, self.seed, keep)
            blank = np.stack([self._find_blank(codes) for codes in batch])
            values = np.where(blank[None, :, None], np.nan, np.stack(kept))
            found += [values[:, place] for place in range(len(batch))]
        return found

    def _find_blank(self, codes: Codes) -> NDArray[np.bool_]:
        """Find bins that do not count: those without a known base, and those at the ends; ``(bins,)``."""
        blank: NDArray[np.bool_] = (codes.reshape(self.window.bins, -1) == UNKNOWN).all(axis=1)
        blank[: self.window.context] = True
        blank[self.window.bins - self.window.context :] = True
        return blank

    def _combine(self, frames: Sequence[Frame], tracks: Sequence[Sequence[Floats]]) -> Effect:
        """Average the scores of the frames, sample by sample, and then over samples."""
        shape = (count_samples(self.model.net, self.samples), len(self.model.task.names))
        total, largest, ratio, l2 = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape[1])
        for frame, parts in zip(frames, tracks):
            ref, alt = self._line_up(parts)
            change = alt - ref
            mean = change.mean(axis=0)
            where = np.abs(mean).argmax(axis=1)
            total += frame.weight * change.sum(axis=2)
            largest += frame.weight * change[:, np.arange(shape[1]), where]
            ratio += frame.weight * _log_ratio(ref.sum(axis=2), alt.sum(axis=2))
            l2 += frame.weight * np.sqrt((mean**2).sum(axis=1))
        return Effect(*mean_and_deviation(total), *mean_and_deviation(largest), *mean_and_deviation(ratio), l2)

    def _line_up(self, tracks: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Return both alleles' tracks, ``(samples, tracks, bins)``, 0 in both where one of them is not known."""
        ref, alt = tracks[0], tracks[1]
        if len(tracks) == 4:
            ref, alt = (join(tracks[allele], tracks[2 + allele], self.window.centre) for allele in (0, 1))
        blank = np.isnan(ref) | np.isnan(alt)
        return np.where(blank, 0.0, ref), np.where(blank, 0.0, alt)


def _log_ratio(ref: Floats, alt: Floats) -> Floats:
    positive = (ref > 0) & (alt > 0)
    return np.where(positive, np.log2(np.where(positive, alt, 1.0) / np.where(positive, ref, 1.0)), np.nan)


def mean_and_deviation(samples: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation over samples ``(samples, ...)``; the deviation of one sample is NaN."""
    mean = samples.mean(axis=0)
    return mean, samples.std(axis=0) if len(samples) > 1 else np.full_like(mean, np.nan)


def _in_deviations(values: Floats, deviations: Floats) -> Floats:
    some = deviations > 0
    return np.where(some, values / np.where(some, deviations, 1.0), np.nan)
