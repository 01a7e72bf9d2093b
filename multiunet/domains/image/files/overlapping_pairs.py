"""Pairs of images with masks of classes that may overlap: by folder, ending, or in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from multiunet.domains.image.files.listing import is_image, list_images, name_files
from multiunet.domains.image.files.overlapping import join_files, split_files
from multiunet.domains.image.files.pairing import IMAGE_ENDINGS, MASKS, Item, Truth, pair_files
from multiunet.domains.image.files.table import is_table
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import counted, listing

SEPARATORS = "_-. "
"""Signs between the name of an image and that of a class."""

OF_ONE_CLASS = Truth(
    "mask of this class",
    MASKS.list_files,
    hint="; of an image without the class, a mask of zeros",
    tabled=None,
)


def pair_overlapping(images: Path, masks: Path | None) -> list[Item]:
    """Pair images with masks of classes that may overlap.

    - a folder a class: ``masks/CLASS/NAME.png``;
    - an ending a class: ``masks/NAME_CLASS.png``, of two classes or more;
    - else one file an image, with a channel or a bit a class, named as ``pair_files`` says.

    Several files of an image are one target: see ``join_files``.

    Raises:
        InputError: naming the images, or classes of an image, that have no mask.
    """
    if masks is None or is_table(images) or not masks.is_dir():
        return pair_files(images, masks, MASKS)
    folders = sorted(path for path in masks.iterdir() if path.is_dir() and not path.name.startswith("."))
    by_class = {path.name: path for path in folders if any(map(is_image, path.iterdir()))}
    files = [path for path in masks.iterdir() if is_image(path)]
    if by_class and not files:
        return _join_folders(images, by_class)
    pictures = list_images(images)
    found = _by_ending(pictures, [path for path in files if path not in set(pictures.values())])
    if len({ending for own in found.values() for ending in own}) > 1:
        return _join_endings(masks, pictures, found)
    return pair_files(images, masks, MASKS)


def list_sources(item: Item) -> tuple[str, ...]:
    """Return the names of the classes of a mask of several files, in their order; none of one file."""
    files = [Path(file) for file in split_files(item.target)]
    if len(files) == 1:
        return ()
    folders = [file.parent.name for file in files]
    if len(set(folders)) == len(files):
        return tuple(folders)
    stems = list(name_files(files))
    start = next(len(core) for core in _cores(item.name) if all(stem.startswith(core) for stem in stems))
    return tuple(stem[start:].lstrip(SEPARATORS) for stem in stems)


def warn_of_unused_masks(masks: Path | None, items: Sequence[Item]) -> None:
    """Say which files of masks belong to no image of any split."""
    if masks is None or not masks.is_dir():
        return
    used = {Path(file) for item in items for file in (*split_files(item.target), item.image)}
    found = [path for path in (*masks.iterdir(), *masks.glob("*/*")) if is_image(path)]
    if unused := sorted(str(path.relative_to(masks)) for path in found if path not in used):
        remark(f"{masks}: not used, as no image has their names: {listing(unused)}")


def _join_folders(images: Path, folders: Mapping[str, Path]) -> list[Item]:
    """Pair images with a mask in each folder."""
    each = [pair_files(images, folder, OF_ONE_CLASS) for folder in folders.values()]
    if len(each) == 1:
        return each[0]
    return [
        replace(found[0], target=join_files([Path(item.target) for item in found]))
        for found in zip(*each)  # items come in the order of the images
    ]


def _cores(name: str) -> list[str]:
    """Return what masks may have in place of an image's name, the longest first."""
    return sorted((name.removesuffix(ending) for ending in IMAGE_ENDINGS), key=len, reverse=True)


def _by_ending(images: Mapping[str, Path], masks: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """Return the masks of each image by their endings; a mask is of the image with the longest name."""
    found: dict[str, dict[str, Path]] = {name: {} for name in images}
    cores = {core: name for name in images for core in _cores(name)} | {name: name for name in images}
    for stem, path in name_files(masks).items() if masks else ():
        starts = [stem[:place] for place, sign in enumerate(stem) if place and sign in SEPARATORS]
        known = (core for core in reversed(starts) if core in cores and stem[len(core) :].strip(SEPARATORS))
        core = next(known, None)  # the longest
        if core is not None:
            found[cores[core]][stem[len(core) :].lstrip(SEPARATORS)] = path
    return found


def _join_endings(masks: Path, images: Mapping[str, Path], found: Mapping[str, Mapping[str, Path]]) -> list[Item]:
    """Pair images with a mask of each ending."""
    endings = sorted({ending for own in found.values() for ending in own})
    for name, own in found.items():
        if missing := [ending for ending in endings if ending not in own]:
            has = sum(missing[0] in other for other in found.values())
            raise InputError(
                f"{masks}: no mask {name}_{missing[0]}, which {counted(has, 'other image has', 'other images have')}; "
                f"each image has one of each class ({listing(endings)}); of an image without the class, a mask of zeros"
            )
    return [Item(name, str(path), join_files([found[name][end] for end in endings])) for name, path in images.items()]
