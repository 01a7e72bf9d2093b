"""Which mask has the name of which image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

MASK_ENDINGS = (
    "",
    "_mask",
    "_masks",
    "_label",
    "_labels",
    "_seg",
    "_gt",
    "_annotation",
    "_cp_masks",
    "_class",
    "_instance",
)
"""What masks have behind the name of their image, those of Cellpose and of our own exports among them."""

IMAGE_ENDINGS = ("", "_img", "_image", "_0000")
"""What images have behind a name that their masks have not; ``_0000`` is nnU-Net's first channel."""

PREFIXES = (("", ""), ("image_", "mask_"), ("img_", "mask_"), ("image_", ""), ("img_", ""), ("", "mask_"))
"""What images and masks have in front."""

Form = tuple[str, str]
"""A prefix and an ending."""


def matched(images: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, str] | None:
    """The mask of each image by name, where all are named in one of the ways above; None where they are not.

    Of images and masks in one folder, what is called a mask is no image.

    >>> files = {name: Path(name) for name in ("a_img", "b_img", "a_mask", "b_mask")}
    >>> matched(files, files)
    {'a_img': 'a_mask', 'b_img': 'b_mask'}
    """
    if set(images.values()) & set(masks.values()):
        for image_form, mask_form in _forms():
            rest = [name for name in images if _core(name, mask_form) is None]
            found = {name: _mask_of(name, image_form, mask_form) for name in rest}
            if any(mask_form) and found and all(mask in masks for mask in found.values()):
                return {name: str(mask) for name, mask in found.items()}
    for image_form, mask_form in _forms():
        found = {name: _mask_of(name, image_form, mask_form) for name in images}
        if all(mask in masks for mask in found.values()):
            return {name: str(mask) for name, mask in found.items()}
    return None


def fewest_missing(images: Mapping[str, Path], masks: Mapping[str, Path]) -> list[str]:
    """The images without a mask under the naming scheme that matches most."""
    missing = ([n for n in images if _mask_of(n, *forms) not in masks] for forms in _forms())
    return min(missing, key=len)


def _forms() -> Iterator[tuple[Form, Form]]:
    for (before_image, before_mask), behind_image, behind_mask in product(PREFIXES, IMAGE_ENDINGS, MASK_ENDINGS):
        yield (before_image, behind_image), (before_mask, behind_mask)


def _core(name: str, form: Form) -> str | None:
    """What is left of a name without prefix and ending; None where it has them not."""
    before, behind = form
    if len(name) <= len(before) + len(behind) or not (name.startswith(before) and name.endswith(behind)):
        return None
    return name[len(before) : len(name) - len(behind)]


def _mask_of(name: str, image: Form, mask: Form) -> str | None:
    core = _core(name, image)
    return None if core is None else f"{mask[0]}{core}{mask[1]}"
