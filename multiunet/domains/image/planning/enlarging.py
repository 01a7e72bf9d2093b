"""Larger networks, patches and batches for a stated budget of memory.

After the residual-encoder presets of nnU-Net (Isensee et al. 2024, "nnU-Net Revisited"): patches as large as two of
them fit, then as many samples as fit. Their networks have 32 channels at the finest level and twice as many a level
below, up to 512 in 2-D and 320 in 3-D, with 1, 3, 4 and then 6 residual blocks a level.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from multiunet.catalogue import ModelName
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.patch_size import fit_patch
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.planned import Decision, is_open

MODEL: ModelName = "residual_unet"

MOST_CHANNELS = {1: 512, 2: 512, 3: 320}
"""Channels of the coarsest levels, by axes."""

LEVELS = 8

SIDES: dict[int, tuple[int, ...]] = {
    1: (256, 512, 1024, 2048),
    2: (256, 320, 384, 448, 512, 640, 768, 1024),
    3: (64, 80, 96, 112, 128, 160, 192),
}
"""Sides of square and cubic patches that are tried, from the default on; others have as many pixels."""

FEWEST_SAMPLES = 2
MOST_SAMPLES = 64

SEEN_AT_ONCE = 0.05
"""Most of the training pixels that a batch has, so that batches differ (nnU-Net's)."""

Fits = Callable[[ImageTrain], bool]
"""Whether a training with these settings fits into the budget."""

Levels = Callable[[list[int], tuple[int, ...]], list[int]]
"""As many of the widths as a patch has levels."""


def enlarge(config: ImageTrain, info: ImageInfo, fits: Fits, levels: Levels) -> tuple[ImageTrain, dict[str, Decision]]:
    """Return the settings with what a budget of memory decides, and those decisions; given settings stay.

    Where not even the default patch fits twice, patch and batch are left open, for the plan to make them smaller.
    """
    decided: dict[str, Decision] = {}

    def decide(name: str, value: Any, reason: str) -> None:
        nonlocal config
        if is_open(config, name) or name in decided:
            config = config.model_copy(update={name: value})
            decided[name] = Decision(value=value, reason=reason)

    decide("model", MODEL, "for `budget`: a residual encoder, as nnU-Net's presets have")
    own = config.model == MODEL and is_open(config, "widths")
    widths = [min(32 * 2**level, MOST_CHANNELS[info.ndim]) for level in range(LEVELS)]
    tried = [info.patch_size]
    if is_open(config, "patch_size"):
        known = info.fingerprint.size.largest
        tried = list(dict.fromkeys(fit_patch(known, info.spacing, side) for side in SIDES[info.ndim]))
    open_batch = is_open(config, "batch_size")
    found: ImageTrain | None = None
    for patch in tried:
        update: dict[str, Any] = {"patch_size": list(patch)}
        update |= {"widths": levels(widths, patch)} if own else {}
        update |= {"batch_size": FEWEST_SAMPLES} if open_batch else {}
        larger = config.model_copy(update=update)
        if not fits(larger):
            break
        found = larger
    if found is None:
        if own:
            decide("widths", levels(widths, tried[0]), "of nnU-Net's presets, as many levels as the patch has")
        return config, decided
    if own:
        decide("widths", found.widths, "of nnU-Net's presets, as many levels as the patch has")
    decide("patch_size", found.patch_size, "the largest of which two samples fit into the budget, or the images allow")
    if open_batch:
        why = f"as many as fit into the budget, at most {SEEN_AT_ONCE:.0%} of the training pixels, and two at least"
        decide("batch_size", _most_samples(found, info, fits), why)
    return config, decided


def _most_samples(config: ImageTrain, info: ImageInfo, fits: Fits) -> int:
    """Return how many samples fit, two at least, and no more than a share of the data or ``MOST_SAMPLES``."""
    share = SEEN_AT_ONCE * info.fingerprint.pixels["train"] / math.prod(config.patch_size or info.patch_size)
    low, high = FEWEST_SAMPLES, max(FEWEST_SAMPLES, min(MOST_SAMPLES, int(share)))
    while low < high:  # the largest that fits, between one that does and the most there may be
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(config.model_copy(update={"batch_size": middle})) else (low, middle - 1)
    return low
