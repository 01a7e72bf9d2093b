"""Settings of generators: their conditions, and their own defaults. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.splits import SplitTrain
from multiunet.domains.task_defaults import fill

DEFAULTS: Mapping[str, Any] = {
    "augment_prob": 0.0,
    "batch_size": 16,
    "calibrate": False,
    "dropout": 0.0,
    "ema": 0.999,
    "epochs": 100,
    "lr": 1e-3,
    "normalization": "layer",
    "residual": True,
    "steps_per_epoch": 50,
    "test_fraction": 0.0,
    "val_fraction": 0.1,
    "widths": [32, 64, 128],
}
"""Defaults of ``task=generate``, where they are others than those of predictions."""


class ConditionSettings(SplitTrain):
    """Settings of what a generator is given beside its noise, besides ``masks``."""

    labels: Path | None = option(
        None, "CSV with the columns image, label: the class of each image, such as a digit", "Generation"
    )
    captions: Path | None = option(
        None,
        "CSV with the columns image, caption: words that describe each image; or a folder with a .npy for each image, "
        "an embedding (channels,) or tokens (tokens, channels)",
        "Generation",
    )
    given: Path | None = option(
        None,
        "folder of other images of the same scenes, named like the images, to make these from; of the same size, or "
        "smaller by a whole number: super-resolution, staining, another modality",
        "Generation",
    )
    coordinates: bool = option(
        False,
        "tell the network where in its image each pixel is: for labels and captions that say left or above, and for "
        "scenes with an up and a down; patches should be whole images",
        "Generation",
    )
    latent: int | None = option(
        None,
        "make images in the latents of an autoencoder, which are coarser by this factor along each axis, 2, 4, 8 or "
        "16; it is trained first; for large images",
        "Generation",
    )
    latent_channels: int = option(4, "channels of the latents", "Generation", ge=1, le=64)
    latent_epochs: int = option(
        40,
        "epochs of the autoencoder, each of `steps_per_epoch` steps; what it loses, no sample has",
        "Generation",
        ge=1,
    )
    condition_drop: float = option(
        0.1,
        "share of the samples whose label and caption are left out, so that samples can be guided; as many again lack "
        "one of both; 0: none",
        "Generation",
        ge=0,
        lt=1,
    )
    sample_every: int = option(
        10,
        "of `task=generate`: after every so many validated epochs, write a sheet of a few new images into the run "
        "folder (samples/), made in few steps from the same noise; 0: never",
        "Generation",
        ge=0,
    )

    @model_validator(mode="after")
    def _latents_fit(self) -> Self:
        if self.latent is None:
            for name in ("latent_channels", "latent_epochs"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"`{name}` is of latents; give `latent=4`, say, too")
            return self
        if self.latent not in FACTORS:
            raise ValueError(
                f"`latent={self.latent}`: latents can be coarser by {', '.join(map(str, FACTORS))}; choose one of these"
            )
        if self.given is not None:
            raise ValueError(
                "`latent`: an autoencoder loses the fine detail of `given` images, which is what they are given for; "
                "leave one of the two out"
            )
        return self


FACTORS = (2, 4, 8, 16)
"""Pixels along an axis that a site of the latents can stand for."""

CONDITIONS = ("labels", "captions", "given", "latent", "coordinates")

ELSEWHERE = {
    "targets": "give other images of the same scenes as `given`",
    "dots": "give images alone",
    "instances": "give maps of classes as `masks`",
    "loss": "its loss is that of the noise",
    "class_weights": "its loss is that of the noise",
    "folds": "nothing is tested, so leave `folds` out",
    "tta_flips": "samples have one view",
    "keep_last": "samples are made with the average of the weights",
    "restoration": "give what the images are made from as `given`",
}
"""Settings of predictions that a generator has not, and what to do instead."""


def fill_defaults(given: Any) -> Any:
    """Return settings with the defaults of their task, where they are given as a mapping.

    Raises:
        ValueError: naming a setting that generators have not.
    """
    if not isinstance(given, Mapping) or given.get("task") != "generate":
        return given
    for name, fix in ELSEWHERE.items():
        if given.get(name) not in (None, False):
            raise ValueError(f"`{name}` is not for `task=generate`: {fix}")
    return fill(DEFAULTS, given)
