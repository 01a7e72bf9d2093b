"""Survey of dots: how many there are, and mean and deviation of the densities that they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multiunet.domains.image.data.density import draw_density
from multiunet.domains.image.files.dots import AXES, read_dots, space_of_dots
from multiunet.domains.image.files.pairing import count_bar_rows
from multiunet.domains.image.survey.common import Annotations, find_folder
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.survey.targets import TargetSums
from multiunet.domains.image.target_info import Dots
from multiunet.domains.info import Quantities
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

NAME = "density"
"""The quantity that is learnt: objects a pixel."""


def survey_dots(splits: ItemSplits, images: Images, given: Sequence[float]) -> Annotations:
    """Return the density as quantity, with its moments over the training images, and the dots' counts.

    Args:
        given: deviation of a dot's Gaussian in pixels, one number or one an axis.

    Raises:
        InputError: for dots that cannot be read or lie outside of their images, or training images without any.
    """
    sigma = _spread_over_axes(given, images.ndim)
    sums, counts = TargetSums.of_none(1), dict.fromkeys(SPLITS, 0)
    spaces: dict[str, tuple[int, ...]] = {}
    for name in SPLITS:
        for item in splits[name]:
            space = images.shapes[item.image]
            if (own := space_of_dots(Path(item.target))) is not None:
                count_bar_rows(item, space, images.bars[item.image], own)
            if spaces.setdefault(item.target, space) != space:
                raise InputError(f"{item.target}: gives the dots of two images of different size; give each its own")
            places = read_dots(Path(item.target), space)
            images.digest.add(item.target, places)
            counts[name] += len(places)
            sums.add(name, draw_density(places, space, sigma, item.target))
    _check_taught(splits, counts)
    centre, scale = sums.moments(find_folder(splits))
    quantities = Quantities(names=(NAME,), centre=tuple(centre.tolist()), scale=tuple(scale.tolist()))
    return Annotations(quantities, None, dots=Dots(sigma=sigma, spaces=spaces, counts=counts))


def _spread_over_axes(given: Sequence[float], ndim: int) -> tuple[float, ...]:
    if len(given) not in (1, ndim):
        shown = ",".join(f"{deviation:g}" for deviation in given)
        raise InputError(f"`dots={shown}`: give one number, or one for each axis {', '.join(AXES[-ndim:])}")
    return tuple(given) if len(given) == ndim else tuple(given) * ndim


def _check_taught(splits: ItemSplits, counts: dict[Split, int]) -> None:
    if not counts["train"]:
        raise InputError(
            f"{find_folder(splits)}: no dot in any of the {len(splits['train'])} training files; there is nothing to "
            "learn: give files of dots, or other training images"
        )
