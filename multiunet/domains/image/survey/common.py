"""What the surveys of masks, of objects and of targets have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.info_bar import drop_rows, read_cropped
from multiunet.domains.image.files.lazy import Pixels
from multiunet.domains.image.files.pairing import Item, count_bar_rows
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.splits import Splits
from multiunet.domains.image.survey.swapped import check_not_mask
from multiunet.errors import InputError


def find_folder(splits: Splits) -> Path:
    """Where the first training mask or target is."""
    return Path(splits["train"][0].target).parent


def crop_like_image(item: Item, images: Images, truth: Pixels, channels: int = 0) -> Pixels:
    """A mask ``space`` or target ``(C, *space)`` on the pixels of its image, and remembers what was cut off.

    Args:
        channels: axes in front of space.

    Raises:
        InputError: when it has other pixels than its image.
    """
    rows = count_bar_rows(item, images.shapes[item.image], images.bars[item.image], truth.shape[channels:])
    if rows:
        images.target_bars[item.target] = rows
    return drop_rows(truth, rows)


def check_not_swapped(item: Item, images: Images, labels: Pixels, config: ImageTrain) -> None:
    """Looks again at an image that may be a mask.

    Raises:
        InputError: when it is that of its own labels, ``space``.
    """
    if item.image in images.few:
        check_not_mask(item, read_cropped(Path(item.image), config.crop_bar)[0].pixels, labels)


def check_weights(config: ImageTrain, classes: Sequence[str]) -> None:
    """Checks ``--class-weights`` against the classes.

    Raises:
        InputError: when they do not fit.
    """
    weights = config.class_weights
    if weights is None:
        return
    given = f"--class-weights {','.join(f'{w:g}' for w in weights)}"
    if len(weights) != len(classes) or min(weights) < 0:
        raise InputError(
            f"{given}: give {len(classes)} numbers, none negative, one for each class {', '.join(classes)}"
        )
    if max(weights) == 0:
        raise InputError(f"{given}: all weights are zero, so nothing would be learnt; give a class a positive one")
