"""Survey of a generator's data: labels, captions, masks and other images beside its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.pairing import MASKS, Item, Truth, pair_files
from multiunet.domains.image.files.table import is_table, read_pairs
from multiunet.domains.image.generation.columns import match_column, name_labels, split_words
from multiunet.domains.image.generation.embeddings import survey_embeddings
from multiunet.domains.image.generation.info import Generation, Given, Labels, Latent, Layout, Words
from multiunet.domains.image.survey.common import Annotations
from multiunet.domains.image.survey.images import Images, survey_images
from multiunet.domains.image.survey.masks import survey_masks
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.info import ClassLabels, Quantities
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.wording import listing

GIVEN = Truth("image of `given`", list_images, tabled=None, ending=None)

CHANNELS = {"grey": ("intensity",), "rgb": ("red", "green", "blue")}


def survey_generation(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    """Return what is generated, the channels of the images, and what the network is given for it.

    Raises:
        InputError: for labels, captions, masks or given images that do not fit the images.
    """
    _warn_of_few(splits)
    names = CHANNELS.get(images.colour) or tuple(f"channel{place}" for place in range(images.channels))
    known = images.intensities("train")
    kinds = sorted(images.kinds)
    if len(kinds) > 1:
        raise InputError(
            f"{config.images}: holds images of {' and '.join(kinds)}; new images are written in the numbers of the "
            "training images, so convert them to one type"
        )
    labels = None if config.labels is None else _read_labels(config.labels, splits)
    words = embeddings = None
    if config.captions is not None and config.captions.is_dir():
        embeddings = survey_embeddings(config.captions, _paths(splits))
    elif config.captions is not None:
        words = _read_captions(config.captions, splits)
    told = any(part is not None for part in (labels, words, embeddings))
    generation = Generation(
        numbers=kinds[0],
        lowest=images.lowest,
        highest=images.highest,
        left_out=config.condition_drop > 0 and told,
        labels=labels,
        words=words,
        embeddings=embeddings,
        layout=_survey_layout(splits, images, config),
        given=_survey_given(splits, images, config),
        coordinates=images.ndim if config.coordinates else 0,
        latent=None if config.latent is None else Latent(factor=config.latent, channels=config.latent_channels),
    )
    target = Quantities(names=names, centre=known.mean, scale=known.deviation)
    return Annotations(target, None, generation=generation)


def is_alone(config: ImageTrain) -> bool:
    """Return whether a generator has one image to learn from, so that none can be held out."""
    own_split = config.splits is not None or config.val_images is not None or config.test_images is not None
    return config.task == "generate" and not own_split and len(list_images(config.images)) == 1


def _warn_of_few(splits: ItemSplits) -> None:
    """Say what a generator can learn from very few images."""
    count = len(splits["train"])
    if count == 1:
        remark(
            f"{splits['train'][0].image}: is the only training image, so samples are variations of its patches; "
            "nothing says how else such images may look"
        )


def _paths(splits: ItemSplits) -> dict[str, str]:
    """Return the names of all images, by path."""
    return {item.image: item.name for name in SPLITS for item in splits[name]}


def _read_labels(path: Path, splits: ItemSplits) -> Labels:
    found = match_column(path, "label", _paths(splits))
    names = name_labels([found[item.image] for item in splits["train"]])
    _check_trained(path, "label", found, names, splits)
    return Labels(names=names, classes={image: names.index(label) for image, label in found.items()})


def _check_trained(path: Path, noun: str, found: Mapping[str, str], known: Sequence[str], splits: ItemSplits) -> None:
    held_out: tuple[Split, ...] = ("val", "test")
    for name in held_out:
        strange = [item.name for item in splits[name] if found[item.image] not in known]
        if strange:
            image = next(item.image for item in splits[name] if item.name == strange[0])
            raise InputError(
                f"{path}: no training image has the {noun} {found[image]!r}, which {listing(strange)} of the {name} "
                "split needs; add an image with it, move such an image to training (`splits`), or pass `val_fraction=0`"
            )


def _read_captions(path: Path, splits: ItemSplits) -> Words:
    found = match_column(path, "caption", _paths(splits))
    words = {image: split_words(caption) for image, caption in found.items()}
    if empty := [image for image, own in words.items() if not own]:
        raise InputError(f"{path}: the caption of {listing(empty)} has no words; describe each image")
    vocabulary = sorted({word for item in splits["train"] for word in words[item.image]})
    number = {word: place for place, word in enumerate(vocabulary, start=1)}
    # of held-out captions, words that training has not seen say nothing
    captions = {image: tuple(number[word] for word in own if word in number) for image, own in words.items()}
    longest = max(len(own) for own in captions.values())
    return Words(vocabulary=tuple(vocabulary), longest=longest, captions=captions)


def _pairs(
    splits: ItemSplits, folders: Sequence[tuple[Path | None, Path | None]], kind: Truth = MASKS
) -> dict[str, str]:
    """Return the file beside each image, by the image's path.

    Args:
        folders: of images, and of what lies beside them.
        kind: what lies there.
    """
    found = [pair_files(images, beside, kind) for images, beside in folders if images is not None]
    pairs = {item.image: item.target for items in found for item in items}
    return {image: pairs[image] for image in _paths(splits)}


def _with_targets(splits: ItemSplits, pairs: Mapping[str, str]) -> ItemSplits:
    return {name: [Item(item.name, item.image, pairs[item.image]) for item in splits[name]] for name in SPLITS}


def _survey_layout(splits: ItemSplits, images: Images, config: ImageTrain) -> Layout | None:
    tabled = is_table(config.images) and read_pairs(config.images)[0].target is not None
    if config.masks is None and not tabled:
        return None
    val, test = config.val_masks or config.masks, config.test_masks or config.masks
    pairs = _pairs(splits, [(config.images, config.masks), (config.val_images, val), (config.test_images, test)])
    before = dict(images.target_bars)
    found = survey_masks(_with_targets(splits, pairs), images, config)
    assert isinstance(found.target, ClassLabels)
    assert found.masks is not None
    bars = {path: rows for path, rows in images.target_bars.items() if path not in before}
    coloured, palettes = found.masks.coloured, found.masks.palettes
    return Layout(classes=found.target, coloured=coloured, palettes=palettes, files=pairs, bars=bars)


def _survey_given(splits: ItemSplits, images: Images, config: ImageTrain) -> Given | None:
    if config.given is None:
        return None
    pairs = _pairs(
        splits, [(folder, config.given) for folder in (config.images, config.val_images, config.test_images)], GIVEN
    )
    others: dict[Split, list[Item]] = {
        name: [Item(item.name, pairs[item.image], "") for item in splits[name]] for name in SPLITS
    }
    given = survey_images(others, config.crop_bar, config.pixel_size)
    for path, content in given.digest.images.items():
        images.digest.targets[path] = content
    factors = {image: _factor(image, images.shapes[image], path, given.shapes[path]) for image, path in pairs.items()}
    factor = next(iter(factors.values()))
    for image, own in factors.items():
        if own != factor:
            raise InputError(
                f"{pairs[image]}: its image is {_times(own)} times as large, others {_times(factor)} times; give all "
                "images in the same relation"
            )
    known: Any = given.intensities("train")
    return Given(
        channels=given.channels,
        colour=given.colour,
        mean=known.mean,
        deviation=known.deviation,
        factor=factor,
        files=pairs,
    )


def _factor(image: str, space: Sequence[int], given: str, own: Sequence[int]) -> tuple[int, ...]:
    """Return how many pixels of an image lie on each pixel of its given image, by axis."""
    if len(space) != len(own) or any(n % m for n, m in zip(space, own)):
        raise InputError(
            f"{given}: is {_times(own)}, but its image {image} is {_times(space)}; they must be equal, or the image "
            "larger by a whole number along each axis"
        )
    return tuple(n // m for n, m in zip(space, own))


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
