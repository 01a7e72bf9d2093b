"""Levels of a network over an encoder from elsewhere: what the encoder and the patch allow."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.encoding import choose_widths, find_levels
from multiunet.domains.image.info import ImageInfo
from multiunet.errors import InputError
from multiunet.models.encoder_unet import find_strides


def shape_decoder(
    config: ImageTrain, info: ImageInfo, space: Sequence[int], fewest: int
) -> tuple[list[int], list[list[int]]]:
    """Return the decoder's channels by level, and the encoder's strides, for patches of such a size.

    Args:
        fewest: sites along the longest axis of the coarsest level.

    Raises:
        InputError: for data of other than two axes, for more widths than the encoder has levels, for other strides, and
            for encoders as ``find_levels`` says.
    """
    if info.ndim != 2:
        raise InputError(
            f"`encoder={config.encoder}`: encoders of timm are for images of two axes, and the data have {info.ndim}; "
            "leave it out, or choose another `model`"
        )
    levels = find_levels(config)
    if config.widths is not None and len(config.widths) > len(levels):
        raise InputError(
            f"`widths={','.join(map(str, config.widths))}`: with the image itself {config.encoder} has {len(levels)} "
            "levels; give as many or fewer"
        )
    if config.widths is None:
        coarse = [one for one in levels[2:] if max(space) // max(one.spacing) >= fewest]
        levels = [*levels[:2], *coarse]
        widths = choose_widths(levels)
    else:
        widths = list(config.widths)
        levels = levels[: len(widths)]
    strides = [list(step) for step in find_strides(levels)]
    if config.strides not in (None, strides):
        shown = ";".join(",".join(map(str, step)) for step in strides)
        raise InputError(f"`strides`: those of {config.encoder} are '{shown}' for {len(widths)} widths; leave it out")
    return widths, strides


def explain_decoder(config: ImageTrain, fewest: int) -> dict[str, str]:
    """Return the reasons of widths and strides, by setting."""
    fewer = len(config.levels()) < len(find_levels(config))
    cut = f"; {config.encoder}'s coarsest, below {fewest} sites along the longest axis of the patch, are left out"
    return {
        "widths": f"of the decoder, more the coarser its level{cut if fewer else ''}",
        "strides": f"those of {config.encoder}",
    }
