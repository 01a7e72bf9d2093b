"""Decisions of the plan of a generator, each with its reason."""

from __future__ import annotations

from typing import Any

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo


def choose_flip(info: ImageInfo) -> bool:
    """Return whether mirrored patches look like images, too: where patches are pieces of larger images.

    What labels and captions say may not hold of a mirrored image, and whole images mostly have an up and a down.
    """
    known = info.generated
    pieces = all(2 * side <= n for side, n in zip(info.patch_size, info.fingerprint.size.median))
    return pieces and not known.told and not known.coordinates


def explain_generator(config: ImageTrain, info: ImageInfo, flip: bool) -> dict[str, tuple[Any, str]]:
    """Return what the settings of a generator are, beside those that depend on memory, and why."""
    steps = config.epochs * config.recipe().steps(info.fingerprint.images["train"])
    mirrored = (
        "patches are pieces of larger images, which have no up and down"
        if flip
        else ("a mirrored image may be none that there could be; pass `flip` where it is")
    )
    norms = "samples can be made tile by tile, and levels of noise are not mixed"
    words = f"{steps} steps; more are better for as long as the validation loss falls"
    epochs = {"epochs": (config.epochs, words)} if config.minutes is None else {}
    return epochs | {
        "intensities": ("train", "new images get the numbers of the training images"),
        "flip": (flip, mirrored),
        "normalization": (config.normalization, norms),
        "residual": (config.residual, "as the denoisers of the literature are"),
        "dropout": (config.dropout, "new images differ by their noise"),
        "augment_prob": (config.augment_prob, "what changes images would be in the samples, too"),
        "ema": (config.ema, "the average of the weights makes the samples"),
        "lr": (config.lr, "usual for denoisers"),
        "steps_per_epoch": (config.steps_per_epoch, "a validation of a few draws of each image follows"),
    }
