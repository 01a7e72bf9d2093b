"""Survey of masks of classes that may overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.class_names import name_classes
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.lazy import Pixels, iter_blocks
from multiunet.domains.image.files.overlapping import (
    MOST,
    UNKNOWN,
    Layout,
    read_overlapping,
)
from multiunet.domains.image.files.overlapping_pairs import list_sources
from multiunet.domains.image.survey.common import (
    Annotations,
    check_counted,
    check_not_swapped,
    check_weights,
    crop_like_image,
    find_folder,
)
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.target_info import Masks, Overlapping
from multiunet.domains.info import Labels
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.wording import counted, listing


@dataclass
class _Masks:
    """Masks of classes that overlap, counted while each is in memory.

    Attributes:
        first: the first mask, with its layout, places and the names of its files' classes.
        pixels, known: by split, of each place those that have the class, and those of which it is known.
        shown: by place, the first mask that has the class.
        any_class, several: by split, pixels of one class or more, and of two or more.
        ignored: values of pixels that are not known.
    """

    first: tuple[str, Layout, int, tuple[str, ...]] | None = None
    pixels: dict[Split, NDArray[np.int64]] = field(default_factory=lambda: _zeros())
    known: dict[Split, NDArray[np.int64]] = field(default_factory=lambda: _zeros())
    shown: dict[int, str] = field(default_factory=dict)
    any_class: dict[Split, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    several: dict[Split, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    ignored: int = 0

    def add(self, split: Split, mask: str, bits: Pixels) -> None:
        """Count a mask ``space``."""
        for region in iter_blocks(bits):
            block = bits[region]
            present = block & ((1 << MOST) - 1)
            used = int(np.bitwise_or.reduce(block, axis=None))  # most places have nothing to count
            self.known[split] += block.size
            for place in range(MOST):
                if used >> place & 1:
                    self.pixels[split][place] += int((block >> place & 1).sum())
                    self.shown.setdefault(place, mask)
                if used >> (UNKNOWN + place) & 1:
                    unknown = int((block >> (UNKNOWN + place) & 1).sum())
                    self.known[split][place] -= unknown
                    self.ignored += unknown
            self.any_class[split] += int(np.count_nonzero(present))
            self.several[split] += int(np.count_nonzero(present & (present - 1)))  # another bit besides the lowest


def _zeros() -> dict[Split, NDArray[np.int64]]:
    return {name: np.zeros(MOST, dtype=np.int64) for name in SPLITS}


def survey_overlapping(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    """Return the classes of masks that may overlap, and their pixels by split.

    Raises:
        InputError: for masks that cannot be read or that nothing can be learnt from, or settings that do not fit them.
    """
    found, folder = _read(splits, images, config), find_folder(splits)
    assert found.first is not None  # there is a training mask
    mask, layout, count, sources = found.first
    places = sorted(found.shown) if layout == "bits" else list(range(count))
    if not places:
        raise InputError(f"{folder}: no pixel of any mask has a class; masks are 0 outside and 1 (or 255) inside")
    if config.ignore_value is not None and not found.ignored:
        remark(f"`ignore_value={config.ignore_value}`: no mask in {folder} has it")
    names = _name(config, mask, layout, places, sources)
    _check_seen(found, splits, places, names)
    _check_differ(folder, found, places)
    check_weights(config, names)
    own = {split: found.known[split][places] for split in SPLITS}
    check_counted(splits, {split: int(known.sum()) for split, known in own.items()}, "mask")
    pixels = {split: found.pixels[split][places] for split in SPLITS}
    _remark(folder, found, config, dict(zip(names, zip(pixels["train"].tolist(), own["train"].tolist()))))
    for item in splits["train"]:
        bits = read_overlapping(item.target, images.ndim, config.ignore_value, checked=True).bits
        if not images.fingerprint.objects.overlapping(bits, places):
            break
    shares = pixels["train"] / np.maximum(own["train"], 1)
    return Annotations(
        Labels(names=tuple(names), shares=tuple(shares.tolist())),
        config.ignore_value,
        Masks(pixels={split: tuple(counts.tolist()) for split, counts in pixels.items()}),
        overlapping=Overlapping(
            layout=layout,
            places=tuple(places),
            sources=sources,
            known={split: tuple(known.tolist()) for split, known in own.items()},
            several={split: found.several[split] for split in SPLITS},
        ),
    )


def _read(splits: ItemSplits, images: Images, config: ImageTrain) -> _Masks:
    found = _Masks()
    for split in SPLITS:
        for item in splits[split]:
            mask = read_overlapping(item.target, images.ndim, config.ignore_value)
            own = (item.target, mask.layout, mask.places, list_sources(item))
            found.first = found.first or own
            if own[1:] != found.first[1:]:
                raise InputError(
                    f"{item.target}: has {_describe(*own[1:])}, but {found.first[0]} has "
                    f"{_describe(*found.first[1:])}; masks of all images are alike"
                )
            bits = crop_like_image(item, images, mask.bits)
            check_not_swapped(item, images, bits, config)
            images.digest.add(item.target, bits)
            found.add(split, item.target, bits)
    return found


def _describe(layout: Layout, places: int, sources: Sequence[str]) -> str:
    if layout == "bits":
        return "one channel, whose bits are classes"
    return f"a file for each of {listing(sources)}" if layout == "files" else counted(places, "channel")


def _name(config: ImageTrain, mask: str, layout: Layout, places: Sequence[int], sources: Sequence[str]) -> list[str]:
    """Name the classes: as asked for, else as their folders or endings, or by channel or bit."""
    values = list(sources) or [str(place) for place in places]
    given = config.class_names or {}
    strange = sorted(set(values) - set(given)) if layout == "bits" and given else []
    if strange:
        raise InputError(
            f"{mask}: masks have bit {listing(strange)} (of the value {1 << int(strange[0])}), beyond the classes of "
            f"`class_names` ({listing(list(given.values()))}); name it, too, or leave such bits out"
        )
    return name_classes(values, given, None)


def _check_seen(found: _Masks, splits: ItemSplits, places: Sequence[int], names: Sequence[str]) -> None:
    """Refuse a class that no training mask has; say which validation lacks."""
    for place, name in zip(places, names):
        if found.pixels["train"][place]:
            continue
        if place not in found.shown:
            raise InputError(
                f"{find_folder(splits)}: no pixel of any mask has class {name}, so it cannot be learnt; leave it out"
            )
        raise InputError(
            f"{found.shown[place]}: class {name} is in no training mask, so it cannot be learnt; move such an image to "
            "the training split (another `seed`, say), or leave the class out"
        )
    lacking = [name for place, name in zip(places, names) if splits["val"] and not found.pixels["val"][place]]
    if lacking:
        remark(
            f"no validation mask has {listing(lacking)}: from which probability on a pixel has it is left at 1/2, and "
            "the best epoch is chosen without it"
        )


def _check_differ(folder: object, found: _Masks, places: Sequence[int]) -> None:
    """Refuse classes that are the same pixels in every mask, as channels of grey in colours are."""
    somewhere = sum(found.any_class.values())
    if (
        len(places) > 1
        and sum(int(counts[places].sum()) for counts in found.pixels.values()) == len(places) * somewhere
    ):
        raise InputError(
            f"{folder}: all {len(places)} classes have the same pixels in every mask, as in a grey picture saved in "
            "colours; save masks with a channel, bit or file for each class"
        )


def _remark(folder: object, found: _Masks, config: ImageTrain, counts: dict[str, tuple[int, int]]) -> None:
    """Say what is unlikely: classes that never overlap, or that are everywhere."""
    if everywhere := [name for name, (pixels, known) in counts.items() if pixels == known]:
        remark(f"{folder}: each pixel has {listing(everywhere)}: there is nothing to tell apart; leave it out")
    if len(counts) > 1 and not sum(found.several.values()):
        remark(
            f"{folder}: no pixel has two classes. `multilabel` works, but classes that exclude each other are learnt "
            "better as one mask with a number for each, without it"
        )
