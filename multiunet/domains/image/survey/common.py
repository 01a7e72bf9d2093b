"""Common parts of the surveys of masks, objects and targets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.info_bar import drop_rows, read_cropped
from multiunet.domains.image.files.lazy import Pixels
from multiunet.domains.image.files.overlapping import split_files
from multiunet.domains.image.files.pairing import Item, count_bar_rows
from multiunet.domains.image.generation.info import Generation
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.survey.swapped import check_not_mask
from multiunet.domains.image.target_info import Dots, Instances, Masks, Overlapping, Restoration
from multiunet.domains.info import ClassLabels, Labels, Quantities
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.wording import counted


@dataclass(frozen=True)
class Annotations:
    """Result of a survey of masks or targets: what is predicted, and facts on the files."""

    target: ClassLabels | Labels | Quantities
    ignore_value: int | None
    masks: Masks | None = None
    instances: Instances | None = None
    dots: Dots | None = None
    generation: Generation | None = None
    restoration: Restoration | None = None
    drawn_range: float | None = None
    overlapping: Overlapping | None = None


def find_folder(splits: ItemSplits) -> Path:
    """Return the folder of the first training mask or target, or that of the folders of its classes."""
    folders = [Path(file).parent for file in split_files(splits["train"][0].target)]
    return folders[0] if len(set(folders)) == 1 else Path(os.path.commonpath(folders))


def check_counted(splits: ItemSplits, pixels: Mapping[Split, int], kind: str) -> None:
    """Refuse validation or test images none of whose pixels counts: their scores would be undefined.

    Args:
        pixels: by split, those that count.
        kind: of the files, for the error: "mask" or "target".

    Raises:
        InputError: naming the first file of such a split.
    """
    for name in ("val", "test"):
        if splits[name] and not pixels[name]:
            raise InputError(
                f"{splits[name][0].target}: no pixel of the {counted(len(splits[name]), f'{name} {kind}')} counts, "
                f"all are to be ignored, so nothing can be scored; give other {name} images"
            )


def crop_like_image(item: Item, images: Images, target: Pixels, channels: int = 0) -> Pixels:
    """Crop a mask ``space`` or target ``(C, *space)`` to its image; remember what was cut off.

    Args:
        channels: axes in front of space.

    Raises:
        InputError: when it has other pixels than its image.
    """
    rows = count_bar_rows(item, images.shapes[item.image], images.bars[item.image], target.shape[channels:])
    if rows:
        images.target_bars[item.target] = rows
    return drop_rows(target, rows)


def check_not_swapped(item: Item, images: Images, labels: Pixels, config: ImageTrain) -> None:
    """Compare an image that may be a mask with its own labels.

    Raises:
        InputError: when it is that of its own labels, ``space``.
    """
    if item.image in images.few:
        check_not_mask(item, read_cropped(Path(item.image), config.crop_bar, config.read_channels)[0].pixels, labels)


def check_weights(config: ImageTrain, classes: Sequence[str]) -> None:
    """Check the class weights against the classes.

    Raises:
        InputError: when they do not fit.
    """
    weights = config.class_weights
    if weights is None:
        return
    given = f"`class_weights={','.join(f'{w:g}' for w in weights)}`"
    if len(weights) != len(classes) or min(weights) < 0:
        raise InputError(
            f"{given}: give {len(classes)} numbers, none negative, one for each class {', '.join(classes)}"
        )
    if max(weights) == 0:
        raise InputError(f"{given}: all weights are zero, so nothing would be learnt; give a class a positive one")
