"""Sizes of training patches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from multiunet.domains.image.data.inputs import AXES
from multiunet.errors import InputError

SIDES: dict[int, tuple[int, ...]] = {2: (256, 208, 160, 128, 96, 64), 3: (64, 56, 48, 40, 32)}
"""Sides of square and cubic patches, the default and what memory may make of it; others have as many pixels."""

GENERATED_SIDES: dict[int, tuple[int, ...]] = {2: (64, 48, 32), 3: (32, 24, 16)}
"""Sides of the patches of generators, which take many more steps, each of more samples."""

LATENT_SIDES: dict[int, tuple[int, ...]] = {2: (128, 96, 64), 3: (64, 48, 32)}
"""Sides of the patches of generators that work in latents, which have fewer sites than pixels."""

LARGEST_PATCH = 64
"""A patch has at most so many times the pixels of the largest image; most of it would be mirrored."""


def choose_patch_size(
    given: Sequence[int] | None,
    largest: Sequence[int],
    spacing: Sequence[float],
    sides: Mapping[int, Sequence[int]] = SIDES,
) -> tuple[int, ...]:
    """Choose the sides of a patch, pixels.

    Args:
        given: by the user, one for each axis or one for all; None: ``fit_patch`` decides.
        largest: sides of the training images, the largest along each axis.
        sides: those of a square or cube by axes, the default first.

    Raises:
        InputError: for sides that do not fit the axes, or a patch far larger than the images.
    """
    ndim = len(largest)
    if given is None:
        return fit_patch(largest, spacing, sides[ndim][0])
    if len(given) not in (1, ndim) or min(given) < 1:
        shown = ",".join(map(str, given))
        raise InputError(f"`patch_size={shown}`: give one number, or one for each axis {', '.join(AXES[ndim])}")
    chosen = tuple(given) if len(given) == ndim else tuple(given) * ndim
    if math.prod(chosen) > LARGEST_PATCH * math.prod(largest):
        raise InputError(
            f"`patch_size={','.join(map(str, chosen))}`: a patch of {math.prod(chosen):,} pixels, but no training "
            f"image is larger than {' x '.join(map(str, largest))}; give less, or leave it out"
        )
    return chosen


def pick_sides(generates: bool, in_latents: bool) -> Mapping[int, tuple[int, ...]]:
    """Return the sides of patches that a plan chooses among, by axes."""
    if not generates:
        return SIDES
    return LATENT_SIDES if in_latents else GENERATED_SIDES


def fit_patch(largest: Sequence[int], spacing: Sequence[float], side: int | None = None) -> tuple[int, ...]:
    """Return a patch as wide in space along every axis as a bounded number of pixels and the images allow.

    Args:
        side: of a square or cube of that number; the first of ``SIDES`` by default.

    >>> fit_patch((512, 512), (1, 1)), fit_patch((20, 512, 512), (1, 1, 1)), fit_patch((200, 100), (1, 1))
    ((256, 256), (20, 112, 112), (200, 100))
    """
    budget = (side or SIDES[len(largest)][0]) ** len(largest)

    def sides(width: float) -> list[float]:
        return [min(float(n), width / step) for n, step in zip(largest, spacing)]

    low, high = 0.0, max(n * step for n, step in zip(largest, spacing))
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if math.prod(sides(middle)) <= budget else (low, middle)
    whole = (max(8, round(side / 16) * 16) for side in sides(high))
    return tuple(n if side > n - 1 else min(n, even) for side, even, n in zip(sides(high), whole, largest))
