"""Data and task of a training on images, in words."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.generation.info import Generation
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.target_info import Overlapping
from multiunet.domains.summary import SHOWN_NAMES, summarise_split, summarise_target
from multiunet.memory import amount
from multiunet.wording import counted, listing, percent


def summarise_images(config: ImageTrain, info: ImageInfo) -> dict[str, str]:
    """Return what the data are, what is learnt from them, and in which pieces."""
    seen, noun = info.fingerprint, "image" if info.ndim == 2 else "volume"
    sizes = (
        f"all {_times(seen.size.median)}"
        if seen.size.smallest == seen.size.largest
        else f"{_times(seen.size.smallest)} to {_times(seen.size.largest)}"
    )
    kind = {"grey": "grey", "rgb": "in colours"}.get(info.colour, counted(info.channels, "channel"))
    spacing = "" if seen.spacing is None else f", {_times([f'{step:.4g}' for step in info.spacing])} µm apart"
    flips = ", mirrored and turned" if config.flip else ""
    found = {
        "data": f"{config.images}: {summarise_split(info, noun)}",
        "pixels": f"{sizes} pixels{spacing}, {kind}, {' and '.join(seen.numbers)}",
        "learns": _learns(info),
        "patches": f"{_times(info.patch_size)} pixels, {config.batch_size} a step{flips}",
    }
    if info.plan is not None:
        memory = info.plan.memory
        found["memory"] = f"about {amount(memory.needed)} of {amount(memory.budget)}"
    return found


def _learns(info: ImageInfo) -> str:
    if info.generation is not None:
        return f"to make new images like these{_told(info.generation)}"
    if info.restoration is not None:
        return f"to restore images: {info.restoration.reason}"
    if info.instances is not None:
        return f"to find objects: {info.instances.counts['train']:,} in the training masks{_tell_of_classes(info)}"
    if info.dots is not None:
        return f"to count objects: {info.dots.counts['train']:,} dots in training"
    if info.fingerprint.classes:
        shares = [f"{name} ({percent(own.share)} of pixels)" for name, own in info.fingerprint.classes.items()]
        several = "" if info.overlapping is None else _tell_of_overlaps(info, info.overlapping)
        return f"{counted(len(shares), 'class', 'classes')}{several}: {listing(shares, SHOWN_NAMES)}"
    return summarise_target(info)


def _tell_of_classes(info: ImageInfo) -> str:
    """Say which classes objects have, and how many training objects are of each; nothing where they have none."""
    own = info.numbered.classes
    if own is None:
        return ""
    counts = own.counts["train"]
    shown = [f"{name} ({count:,})" for name, count in zip(own.names, counts)]
    bare = info.numbered.counts["train"] - sum(counts)
    without = f"; {bare:,} without a class" if bare else ""
    return f", and their classes: {listing(shown, SHOWN_NAMES)}{without}"


def _tell_of_overlaps(info: ImageInfo, known: Overlapping) -> str:
    """Say that classes may overlap, in how many pixels they do, and where each lies in the masks."""
    share = known.several["train"] / max(1, info.fingerprint.pixels["train"])
    places = listing([str(place) for place in known.places], SHOWN_NAMES)
    where = f", of {known.layout} {places}" if known.layout != "files" else ""
    return f" that may overlap ({percent(share)} of pixels have two or more{where})"


def _told(known: Generation) -> str:
    """Say what new images are made from."""
    parts = []
    if known.labels is not None:
        names = known.labels.names
        parts.append(f"a label ({counted(len(names), 'class', 'classes')}: {listing(list(names), SHOWN_NAMES)})")
    if known.words is not None:
        parts.append(f"a caption of {counted(len(known.words.vocabulary), 'known word')}")
    if known.embeddings is not None:
        parts.append(f"an embedding of {counted(known.embeddings.channels, 'channel')}")
    if known.layout is not None:
        parts.append(f"a map of classes ({listing(list(known.layout.classes.names), SHOWN_NAMES)})")
    if known.given is not None:
        smaller = [f for f in known.given.factor if f > 1]
        parts.append(f"another image{f', {_times(known.given.factor)} times smaller' if smaller else ''}")
    told = f", from {' and '.join(parts)}" if parts else ""
    places = ", knowing where in the image each pixel is" if known.coordinates else ""
    latent = known.latent
    coded = (
        "" if latent is None else f", in latents of {counted(latent.channels, 'channel')}, coarser by {latent.factor}"
    )
    return f"{told}{places}{coded}"


def _times(numbers: Sequence[object]) -> str:
    return " x ".join(map(str, numbers))
