"""Survey of target images: quantities to predict, with their mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.lazy import Pixels, iter_blocks, reduce_channels
from multiunet.domains.image.files.readers import open_stack, read_target
from multiunet.domains.image.survey.common import Annotations, check_counted, crop_like_image, find_folder
from multiunet.domains.image.survey.dotted import DotCheck
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.relation import EIGHT_BITS, survey_relation
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.info import Quantities
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

ROUNDING = 1e-7
"""Deviation of a constant, at most, as a share of it: its square is rounded in 64 bits."""


@dataclass
class TargetSums:
    """Sums of known values and of their squares, by channel, over the training targets.

    Attributes:
        low, high: extremes of all channels.
        known: by split, values that are not NaN.
    """

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    low: float = float("inf")
    high: float = float("-inf")
    known: dict[Split, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))

    @classmethod
    def of_none(cls, channels: int) -> TargetSums:
        """Return the sums before the first value."""
        return cls(np.zeros(channels, np.int64), np.zeros(channels), np.zeros(channels))

    def add(self, split: Split, target: Pixels) -> None:
        """Add all values of a target ``(C, *space)`` that are not NaN; outside training only their number."""
        for region in iter_blocks(target, whole=1):
            flat = target[region].reshape(target.shape[0], -1).astype(np.float64)
            counts = np.count_nonzero(~np.isnan(flat), axis=1)
            self.known[split] += int(counts.sum())
            if split != "train":
                continue
            self.count += counts
            self.total += np.nansum(flat, axis=1)
            self.squares += np.nansum(flat**2, axis=1)
            if counts.any():
                self.low, self.high = min(self.low, float(np.nanmin(flat))), max(self.high, float(np.nanmax(flat)))

    def moments(self, folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and deviation by channel.

        Raises:
            InputError: when a channel of the targets in ``folder`` is unknown or the same everywhere, in whatever unit.
        """
        if (unknown := np.flatnonzero(self.count == 0)).size:
            raise InputError(f"{folder}: {self._channel(unknown[0])} NaN everywhere; there is nothing to learn")
        centre = self.total / self.count
        scale = np.sqrt(np.maximum(self.squares / self.count - centre**2, 0.0))
        if (constant := np.flatnonzero(scale <= ROUNDING * np.abs(centre))).size:
            value = centre[constant[0]]
            raise InputError(f"{folder}: {self._channel(constant[0])} {value:g} everywhere; nothing to learn")
        return centre, scale

    def _channel(self, index: int) -> str:
        if len(self.count) == 1:
            return "the training targets are"
        return f"channel {index} of the training targets (the first is 0) is"


def survey_targets(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    """Return the quantities, with their moments over the training targets, and how they are restored.

    Raises:
        InputError: for targets that cannot be read or are not alike, or that nothing can be learnt from.
    """
    sums, first, ignored, dotted = None, "", False, DotCheck()
    for name in SPLITS:
        for item in splits[name]:
            path = Path(item.target)
            ignored = ignored or _has(path, config.ignore_value)
            target = crop_like_image(item, images, read_target(path, config.ignore_value).pixels, channels=1)
            if sums is None:
                sums, first = TargetSums.of_none(target.shape[0]), item.target
            if target.shape[0] != len(sums.count):
                raise InputError(
                    f"{path}: has {target.shape[0]} channels, but {first} has {len(sums.count)}; they must be alike"
                )
            images.digest.add(item.target, target)
            sums.add(name, target)
            if name == "train" and target.shape[0] == 1:
                dotted.add(reduce_channels(target, lambda channels: channels[0], target.dtype))
    assert sums is not None  # there is a training target
    folder = find_folder(splits)
    if config.ignore_value is not None and not ignored:
        remark(f"`ignore_value={config.ignore_value}`: no target in {folder} has it")
    dotted.warn(folder, "targets", "`dots=3`, say, and each becomes a Gaussian of that deviation in pixels")
    centre, scale = sums.moments(folder)
    check_counted(splits, sums.known, "target")
    names = ["target"] if len(centre) == 1 else [f"target{i}" for i in range(len(centre))]
    quantities = Quantities(names=tuple(names), centre=tuple(centre.tolist()), scale=tuple(scale.tolist()))
    restoration = survey_relation(splits["train"], config, (images.channels, len(names)), config.intensities or "train")
    drawn = _find_range(splits, sums) if config.adversarial and restoration is None else None
    return Annotations(quantities, config.ignore_value, restoration=restoration, drawn_range=drawn)


def _find_range(splits: ItemSplits, sums: TargetSums) -> float:
    """Return what targets can have, from the least to the largest number: 255 of 8 bits, else those found."""
    kinds = {open_stack(Path(item.target), "target").pixels.dtype.name for item in splits["train"]}
    return EIGHT_BITS if kinds == {"uint8"} else sums.high - sums.low


def _has(target: Path, value: int | None) -> bool:
    """Return whether a file has this number anywhere; nothing is read where there is none to look for."""
    if value is None:
        return False
    pixels = read_target(target).pixels
    return any(bool((pixels[region] == value).any()) for region in iter_blocks(pixels))
