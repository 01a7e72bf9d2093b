"""Requests of new images: their sizes, and what each is made from, checked against the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, product
from pathlib import Path

import numpy as np

from multiunet.domains.image.config.sample import SIZED, ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import AXES, load_input
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.pairing import Truth, pair_files
from multiunet.domains.image.generation.beside import space_of
from multiunet.domains.image.generation.columns import number_words, split_words
from multiunet.domains.image.generation.embeddings import load_embedding
from multiunet.domains.image.generation.info import Generation
from multiunet.domains.image.generation.latent import latent_factor
from multiunet.domains.image.info import ImageInfo
from multiunet.errors import InputError
from multiunet.wording import listing

ALONE = "sample"
"""Name of the only request, where nothing is asked for."""

LONGEST_NAME = 60
"""Characters of a caption's name."""


@dataclass(frozen=True)
class Request:
    """Condition of which some samples are wanted.

    Attributes:
        name: of the group that holds them.
        space: pixels by axis.
        label: number of the class; None: not said.
        caption: as it was asked for; None: not said.
        words: numbers of its words.
        embedding: file of an embedding in place of words.
        mask, given: files; None where the run reads none.
        image, holes: files of an image to fill in, and of where; None: there is none.
        start: file of an image to begin as; None: noise alone.
        guidance: see ``Denoiser``.
    """

    name: str
    space: tuple[int, ...]
    label: int | None = None
    caption: str | None = None
    words: tuple[int, ...] | None = None
    embedding: str | None = None
    mask: str | None = None
    given: str | None = None
    image: str | None = None
    holes: str | None = None
    start: str | None = None
    guidance: float = 1.0


def read_requests(options: ImageSample, info: ImageInfo, cache: FileCache) -> list[Request]:
    """Return what the options ask for.

    Raises:
        InputError: for what the run does not know, files that do not fit, or sizes that cannot be.
    """
    known = info.generated
    _check_known(options, known)
    labels, captions = _read_labels(options, known), _read_captions(options, known)
    several = len(options.guidance) > 1
    guidances = [(f"guidance-{guidance:g}" if several else "", guidance) for guidance in options.guidance]
    scenes = _read_scenes(options, info, cache)
    requests = [
        Request(_join(stem, name, said, how) or ALONE, space, label, text, words, own, guidance=guidance, **files)
        for (stem, space, files), (name, label), (said, (text, words, own)), (how, guidance) in product(
            scenes, labels, captions, guidances
        )
    ]
    for request in requests:
        _check_size(request, info)
    return requests


def _check_known(options: ImageSample, known: Generation) -> None:
    """Check that the run was trained with what it is given, and is given what it was trained with.

    Raises:
        InputError: naming the setting.
    """
    captions = known.words or known.embeddings
    rooms = {"label": known.labels, "caption": captions, "masks": known.layout, "given": known.given}
    for name, room in rooms.items():
        if getattr(options, name) is not None and room is None:
            plural = {"label": "labels", "caption": "captions"}.get(name, name)
            raise InputError(
                f"`{name}`: this run was trained without `{plural}`, so it cannot read any; leave it out, or train "
                f"with `{plural}`"
            )
    for name in ("masks", "given"):
        if getattr(options, name) is None and rooms[name] is not None:
            raise InputError(f"this run makes images from `{name}`; give a folder of them")
    if options.inpaint is not None and known.latent is not None:
        raise InputError(
            f"`inpaint`: this run makes images in latents, of which each site stands for {known.latent.factor} pixels "
            "along an axis, known and unknown ones alike, so known pixels would change; train without `latent`"
        )
    said = options.label is not None or options.caption is not None
    strong = next((guidance for guidance in options.guidance if guidance != 1), None)
    if strong is not None and not known.left_out:
        raise InputError(
            f"`guidance={strong:g}` compares with samples of which nothing is said, and this run has never "
            "seen one: train with `labels` or `captions` and `condition_drop=0.1`, or leave `guidance` out"
        )
    if strong is not None and not said:
        raise InputError(
            f"`guidance={strong:g}` strengthens a label or a caption, and neither is given; give `label` or "
            "`caption`, or leave `guidance` out"
        )
    if not said and not known.left_out:
        if known.labels is not None:
            raise InputError(f"this run was always told a label; give `label`: {listing(list(known.labels.names))}")
        if captions is not None:
            raise InputError("this run was always told a caption; give `caption`")


def _read_labels(options: ImageSample, known: Generation) -> list[tuple[str, int | None]]:
    if options.label is None or known.labels is None:
        return [("", None)]
    names = known.labels.names
    if unknown := [label for label in options.label if label not in names]:
        raise InputError(f"`label={unknown[0]}`: no training image has it; there are {listing(list(names), 20)}")
    return [(f"label-{label}", names.index(label)) for label in dict.fromkeys(options.label)]


Caption = tuple[str | None, tuple[int, ...] | None, str | None]
"""Caption as it was asked for, the numbers of its words, and the file of an embedding in place of words."""


def _read_captions(options: ImageSample, known: Generation) -> list[tuple[str, Caption]]:
    if options.caption is None or not (known.words or known.embeddings):
        return [("", (None, None, None))]
    asked = list(dict.fromkeys(options.caption))
    return list(zip(name_captions(asked), [_read_caption(caption, known) for caption in asked]))


def _read_caption(caption: str, known: Generation) -> Caption:
    if known.embeddings is not None:
        path = Path(caption).absolute()
        if not path.is_file():
            raise InputError(
                f"`caption={caption}`: no such file; this run was trained with embeddings, so give one, a .npy"
            )
        load_embedding(path, known.embeddings)
        return caption, None, str(path)
    assert known.words is not None
    if caption.endswith(".npy"):
        raise InputError(
            f"`caption={caption}`: this run was trained with words, and a .npy is for runs of embeddings; "
            "describe the image in words"
        )
    words = number_words(caption, known.words.vocabulary, "`caption`")
    if len(words) > known.words.longest:
        raise InputError(
            f"`caption={caption}`: has {len(words)} words, and the longest training caption {known.words.longest}; "
            "shorten it"
        )
    return caption, words, None


def name_captions(captions: Sequence[str]) -> list[str]:
    """Return a name for each caption, of its words or of an embedding's file; alike ones are numbered.

    >>> name_captions(["Fine grains, twinned", "fine grains twinned", "doses/3.npy"])
    ['caption-fine-grains-twinned', 'caption-fine-grains-twinned-2', 'caption-3']
    """
    names: list[str] = []
    for caption in captions:
        words = [Path(caption).stem] if caption.endswith(".npy") else split_words(caption)
        name = "-".join(["caption", *words])[:LONGEST_NAME]
        numbered = (f"{name}-{number}" for number in count(2))
        names.append(next(own for own in chain([name], numbered) if own not in names))
    return names


Scene = tuple[str, tuple[int, ...], dict[str, str]]
"""Name of a new image, its pixels by axis, and its files by the names that a request has for them."""

NOUNS = {"masks": "mask", "given": "image of `given`", "holes": "file of `holes`"}
"""What a file of a folder is called."""


def _read_scenes(options: ImageSample, info: ImageInfo, cache: FileCache) -> list[Scene]:
    folders = {name: getattr(options, name) for name in SIZED}
    folders = {name: folder for name, folder in folders.items() if folder is not None}
    if not folders:
        return [("", _read_size(options, info), {})]
    first, *others = folders
    names = {stem: str(path) for stem, path in list_images(folders[first]).items()}
    beside = {name: folders[name] for name in others} | ({} if options.holes is None else {"holes": options.holes})
    files = {first: names}
    for name, folder in beside.items():
        kind = Truth(NOUNS[name], list_images, images=f"files of `{first}`", tabled=None, ending=None)
        files[name] = _match(folders[first], folder, names, kind)
    return [_read_scene(stem, {name: own[stem] for name, own in files.items()}, info, cache) for stem in names]


def _match(images: Path, folder: Path, names: Mapping[str, str], truth: Truth) -> dict[str, str]:
    return {item.name: item.target for item in pair_files(images, folder, truth) if item.name in names}


def _read_scene(stem: str, files: dict[str, str], info: ImageInfo, cache: FileCache) -> Scene:
    image, start, mask, given = (files.get(name) for name in SIZED)
    read = [path for path in (image, start) if path is not None]
    spaces = {path: load_input(path, info, cache).picture.space for path in read}
    spaces |= {path: space_of(info, cache, path, None) for path in (mask,) if path is not None}
    spaces |= {path: space_of(info, cache, None, path) for path in (given,) if path is not None}
    (first, space), *others = spaces.items()
    for path, other in others:
        if other != space:
            raise InputError(f"{path}: asks for an image of {_times(other)}, but {first} for {_times(space)}")
    own = {"image": image, "start": start, "mask": mask, "given": given, "holes": files.get("holes")}
    if own["image"] is not None and own["holes"] is not None:
        read_holes(own["holes"], own["image"], space)
    return stem, space, {name: path for name, path in own.items() if path is not None}


def read_holes(path: str, image: str, space: Sequence[int]) -> np.ndarray:
    """Read where an image is to be filled in, ``space`` of bool.

    Raises:
        InputError: when the mask has another size, or covers all of the image or nothing.
    """
    holes: np.ndarray = read_mask(Path(path))[...] != 0
    if holes.shape != tuple(space):
        raise InputError(f"{path}: is {_times(holes.shape)}, but its image {image} is {_times(space)}; make them equal")
    if holes.all():
        raise InputError(f"{path}: covers the whole image, of which nothing would be kept; leave `inpaint` out")
    if not holes.any():
        raise InputError(f"{path}: is 0 everywhere, so there is nothing to fill in; mark the holes by other numbers")
    return holes


def _read_size(options: ImageSample, info: ImageInfo) -> tuple[int, ...]:
    if options.size is None:
        return info.patch_size
    if len(options.size) not in (1, info.ndim):
        shown = ",".join(map(str, options.size))
        raise InputError(f"`size={shown}`: give one number, or one for each axis {', '.join(AXES[info.ndim])}")
    return tuple(options.size) * (info.ndim // len(options.size))


def _check_size(request: Request, info: ImageInfo) -> None:
    """Check that the coarsest level has a whole site along each axis.

    Raises:
        InputError: when the image is smaller than that.
    """
    coarsest = tuple(math.prod(step) for step in zip(latent_factor(info), *info.strides))
    if any(n < least for n, least in zip(request.space, coarsest)):
        raise InputError(
            f"an image of {_times(request.space)} is smaller than a site of the network's coarsest level, "
            f"{_times(coarsest)}; ask for more, or train with fewer `widths`"
        )


def _join(*parts: str) -> str:
    return "_".join(part for part in parts if part)


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
