"""Scales of tracks for training, which extreme regions do not spoil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.extremes import Extreme, find_extremes, mask_extremes
from multiunet.domains.genome.info import Clip
from multiunet.domains.genome.strands import measure_scales
from multiunet.domains.remarks import remark
from multiunet.tasks.soft_clip import SoftClips

TOP = 0.99
"""Quantile of the bins outside of extreme regions above which values are learnt by their square root."""

MIDDLE = (0.16, 0.84)
"""Quantiles one deviation from the middle of a normal distribution, half of whose distance is the unit."""

Targets = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Scaling:
    """Scales of tracks.

    Attributes:
        centre, scale: mean and deviation of each track over the training bins, as they are learnt.
        clips: threshold and unit of each track; None where values are learnt as they are.
        extremes: regions that hold much of a track's variance.
    """

    centre: list[float]
    scale: list[float]
    clips: tuple[Clip | None, ...]
    extremes: tuple[Extreme, ...]


UNSCALED = Scaling([], [], (), ())
"""Scaling of what is no track."""


def decide_scaling(
    config: GenomeTrain,
    targets: Targets,
    paths: Sequence[Path],
    lengths: Mapping[str, int],
    train: Sequence[str],
    partners: Sequence[int],
) -> Scaling:
    """Find extreme regions, say so, and measure the tracks' scales.

    With ``soft_clip=auto`` a track that has extreme regions on any chromosome is clipped above the 99th percentile of
    the training bins outside of them; the unit is half the distance of the 16th and 84th percentile. Strand pairs share
    what they have.

    Args:
        targets: ``(tracks, bins)`` by chromosome; NaN is not known.
        paths: file of each track.
        lengths: bases by chromosome.
        train: chromosomes to train on.
        partners: for each track, the one on the other strand; itself where it has none.
    """
    extremes = find_extremes(targets, lengths, config.bin_size)
    trained = np.concatenate([targets[chrom] for chrom in train], axis=1).astype(np.float64)
    ordinary = trained.copy()
    for track in range(len(ordinary)):
        inside = [mask_extremes(extremes, track, chrom, targets[chrom].shape[1], config.bin_size) for chrom in train]
        ordinary[track, np.concatenate(inside)] = np.nan
    alike = [sorted({track, partner}) for track, partner in enumerate(partners)]
    clips = tuple(_clip(config, ordinary[rows], {e.track for e in extremes} & set(rows)) for rows in alike)
    _report(paths, extremes, clips)
    if any(clips):
        trained = make_clips(clips).squash(torch.from_numpy(trained)[None])[0].numpy()
    centre, scale = measure_scales(trained, partners)
    return Scaling(centre, scale, clips, extremes)


def make_clips(clips: Sequence[Clip | None]) -> SoftClips:
    """Return the soft limit of tracks."""
    thresholds = [None if clip is None else clip.threshold for clip in clips]
    return SoftClips(thresholds, [1.0 if clip is None else clip.unit for clip in clips])


def _clip(config: GenomeTrain, ordinary: NDArray[np.float64], extreme: set[int]) -> Clip | None:
    """Return the soft limit of a track and its partner; None for none."""
    asked = config.soft_clip
    if asked == "none" or (asked == "auto" and not extreme):
        return None
    known = ordinary[~np.isnan(ordinary)]
    low, high, top = np.quantile(known, [*MIDDLE, TOP])
    threshold = float(top) if asked == "auto" else float(asked)
    unit = float(high - low) / 2 or float(known.std()) or max(abs(threshold), 1.0)
    return Clip(threshold=threshold, unit=unit)


def _report(paths: Sequence[Path], extremes: Sequence[Extreme], clips: Sequence[Clip | None]) -> None:
    for extreme in extremes:
        clip = clips[extreme.track]
        how = "as they are" if clip is None else f"by their square root above {clip.threshold:.4g} (`soft_clip`)"
        remark(
            f"{paths[extreme.track]}: {extreme.describe()}; such values are learnt {how}; scores are given "
            "with and without the region. A repeat says little of its sequence: `exclude_regions` leaves it out"
        )
