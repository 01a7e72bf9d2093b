"""Pairs of images with their masks or targets, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from multiunet.domains.image.files.dots import list_dots
from multiunet.domains.image.files.listing import list_images, name_files
from multiunet.domains.image.files.overlapping import split_files
from multiunet.domains.image.files.readers import stated_geometry
from multiunet.domains.image.files.table import is_table, read_pairs
from multiunet.domains.remarks import remark, remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

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
    "_dots",
    "_points",
    "dots",
)
"""What masks have behind the name of their image, those of Cellpose and of our own exports among them."""

IMAGE_ENDINGS = ("", "_img", "_image", "_0000", "cell")
"""What images have behind a name that their masks have not; ``_0000`` is nnU-Net's first channel, and ``001cell`` has
``001dots`` in the cells of Lempitsky & Zisserman 2010."""

PREFIXES = (("", ""), ("image_", "mask_"), ("img_", "mask_"), ("image_", ""), ("img_", ""), ("", "mask_"))
"""What images and masks have in front."""

SAME_SIZE = 0.01
"""Pixel sizes that differ by a smaller share are equal."""

Form = tuple[str, str]
"""A prefix and an ending."""


def match_names(images: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, str] | None:
    """Return the mask of each image by name; None where they are not all named in one of the ways above.

    Of images and masks in one folder, what is called a mask is no image.

    >>> files = {name: Path(name) for name in ("a_img", "b_img", "a_mask", "b_mask")}
    >>> match_names(files, files)
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


def _match_folded(images: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, str] | None:
    """Match names whose capitals differ, where no two images and no two masks differ by capitals alone."""
    own, others = ({name.casefold(): name for name in names} for names in (images, masks))
    if len(own) < len(images) or len(others) < len(masks):
        return None
    by_fold = [{fold: files[name] for fold, name in names.items()} for names, files in ((own, images), (others, masks))]
    found = match_names(*by_fold)
    return None if found is None else {own[image]: others[mask] for image, mask in found.items()}


def list_unmatched(images: Mapping[str, Path], masks: Mapping[str, Path]) -> list[str]:
    """Return the images without a mask under the naming scheme that matches most."""
    missing = ([n for n in images if _mask_of(n, *forms) not in masks] for forms in _forms())
    return min(missing, key=len)


def _forms() -> Iterator[tuple[Form, Form]]:
    for (before_image, before_mask), behind_image, behind_mask in product(PREFIXES, IMAGE_ENDINGS, MASK_ENDINGS):
        yield (before_image, behind_image), (before_mask, behind_mask)


def _core(name: str, form: Form) -> str | None:
    """Return a name without prefix and ending; None where it does not have them."""
    before, behind = form
    if len(name) <= len(before) + len(behind) or not (name.startswith(before) and name.endswith(behind)):
        return None
    return name[len(before) : len(name) - len(behind)]


def _mask_of(name: str, image: Form, mask: Form) -> str | None:
    core = _core(name, image)
    return None if core is None else f"{mask[0]}{core}{mask[1]}"


@dataclass(frozen=True)
class Item:
    """Image with its mask or target, by stem.

    Attributes:
        target: its file; of a file a class, all of them (see ``join_files``).
        group: specimen, patient or series that the image is of, with others that stay in its split; None: of its own.
    """

    name: str
    image: str
    target: str
    group: str | None = None


@dataclass(frozen=True)
class Truth:
    """Kind of files that say what is true of images.

    Attributes:
        noun: what one is called.
        list_files: lists those of a folder, by name.
        hint: what else to do about an image without one.
        images: what they are files of, for errors.
        tabled: name of their column in a table of pairs; None: a table has none.
        ending: what is often behind the name of their image; None: nothing is.
    """

    noun: str
    list_files: Callable[[Path], dict[str, Path]]
    hint: str = ""
    images: str = "images"
    tabled: str | None = "mask"
    ending: str | None = "_mask"


MASKS = Truth("mask", partial(list_images, wanted="labels"))
TARGETS = Truth("target", partial(list_images, wanted="target"), tabled="target", ending=None)
DOTS = Truth("file of dots", list_dots, "; of an image without objects, a CSV with the line x,y alone")


def pair_files(images: Path, targets: Path | None, truth: Truth = MASKS) -> list[Item]:
    """Pair images with the masks, targets or dots that have their names; or read the pairs of a table.

    Names are matched by ``match_names``. Case counts only where names are told apart by it.

    Raises:
        InputError: naming the images that have none.
    """
    if is_table(images):
        rows = read_pairs(images)
        if targets is not None:
            raise InputError(f"{images} says which image has which mask, but {targets} is given, too; use one")
        if rows[0].target is None:
            raise InputError(f"{images}: has no column 'mask' (or 'target')")
        own = {row.image: row.target for row in rows}
        return [Item(name, str(path), str(own[path])) for name, path in name_files(row.image for row in rows).items()]
    if targets is None:
        raise InputError(f"{images}: no masks given; pass their folder, or a CSV of pairs as the images")
    pictures, known = list_images(images), truth.list_files(targets)
    found = match_names(pictures, known) or _match_folded(pictures, known)
    if found is not None:
        return [Item(name, str(pictures[name]), str(known[target])) for name, target in found.items()]
    stems = list_unmatched(pictures, known)
    table = f"; or pass as `images` a CSV with the columns image,{truth.tabled}" if truth.tabled else ""
    example = f"{stems[0]}{truth.ending} (docs/image.md lists the names that are known)"
    more = f", or all have one ending more, such as {example}" if truth.ending else ""
    raise InputError(
        f"{targets}: no {truth.noun} for {len(stems)} of the {len(pictures)} {truth.images} in {images}: "
        f"{listing(stems)}; they have the names of their images{more}{truth.hint}{table}"
    )


def pair_with_themselves(images: Path) -> list[Item]:
    """Return images of which pairs are made, each as its own target."""
    return [Item(name, str(path), str(path)) for name, path in list_images(images).items()]


def warn_of_unused(targets: Path | None, items: Sequence[Item], truth: Truth = MASKS) -> None:
    """Say which masks belong to no image of any split."""
    if targets is None:
        return
    used = {path for item in items for path in (item.image, item.target)}
    unused = [name for name, path in truth.list_files(targets).items() if str(path) not in used]
    if unused:
        remark(f"{targets}: not used, as no image has their names: {listing(unused)}")


def count_bar_rows(item: Item, space: tuple[int, ...], bar: int, target: tuple[int, ...]) -> int:
    """Return the rows of a mask or target that lie on the information bar of its image, and go with it.

    Args:
        space: the image's pixels by axis, without its bar of so many rows.
        target: the target's, which may cover the bar or not.

    Raises:
        InputError: where the image and its target differ in size, or in what their axes mean.
    """
    _check_geometry(item)
    covering = (*space[:-2], space[-2] + bar, space[-1])
    if target == space:
        return 0
    if target == covering:
        return bar
    sizes = [" x ".join(map(str, shape)) for shape in (target, covering)]
    cut = f", of which {bar} rows are cut off" if bar else ""
    rows = covering[-2] - target[-2]
    shorter = rows > 0 and target == (*covering[:-2], target[-2], covering[-1])
    fix = ""
    if shorter:
        fix = f"; if its lower {rows} rows are an information bar, pass `crop_bar=auto`, or {rows} if all have as many"
    raise InputError(
        f"{item.target}: is {sizes[0]}, but its image {item.image} is {sizes[1]}{cut}; they must be equal{fix}"
    )


def _check_geometry(item: Item) -> None:
    """Check that the axes of an image and its target point the same way, as pixels are paired by their places.

    Pixels of different size are said: programs often write a mask with a size of 1.
    """
    size, image = stated_geometry(Path(item.image), "image")
    target_size, target = stated_geometry(Path(split_files(item.target)[0]), "labels", "target")
    if image is not None and target is not None and image != target:
        raise InputError(
            f"{item.target}: its axes point {target}, those of its image {item.image} {image}, so their voxels do not "
            "lie on each other; save both in one orientation (nibabel.as_closest_canonical)"
        )
    if size is not None and target_size is not None and not np.allclose(size, target_size, rtol=SAME_SIZE):
        shown, own = (" x ".join(f"{step:g}" for step in steps) for steps in (target_size, size))
        remark_file(
            item.target,
            "pixels are paired one by one, and the image is believed",
            f"states pixels of {shown} micrometres, its image {own}",
        )
