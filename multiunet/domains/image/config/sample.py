"""Settings of the sampling of images. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.image.config.prediction import PREDICTION_MEMORY
from multiunet.domains.sample_options import DiffusionOptions
from multiunet.domains.setting_types import Bytes, IntList, PrecisionName, StrList, TextList

SIZED = ("inpaint", "start", "masks", "given")
"""Settings that name images whose size samples have."""

TOLD = {"labels": "label", "captions": "caption"}
"""Settings of trainings that say something of each image, with those of samples."""

DEFAULT_STRENGTH = 0.5


class ImageSample(DiffusionOptions):
    """Settings of ``multiunet sample image``."""

    label: StrList | None = option(
        None,
        "classes of the new images, of those in the training `labels`; each gets `count` samples",
        "Data",
        min_length=1,
    )
    caption: TextList | None = option(
        None,
        "description of the new images in words of the training `captions`, or a .npy; repeat for several, of which "
        "each gets `count` samples",
        "Data",
        repeated=True,
        min_length=1,
    )
    masks: Path | None = option(None, "folder of maps of classes to make images from", "Data")
    given: Path | None = option(None, "folder of images to make others of the same scenes from", "Data")
    inpaint: Path | None = option(None, "folder of images to fill in, as `holes` say", "Data")
    holes: Path | None = option(None, "masks named like the `inpaint` images: not 0 where they are filled in", "Data")
    start: Path | None = option(
        None, "folder of images that samples begin as, under the noise that `strength` says, in place of noise", "Data"
    )
    size: IntList | None = option(
        None, "pixels of a new image by axis, or one number for all; any size; default: a training patch", "Data"
    )
    strength: float | None = option(
        None,
        "of `start`: share of the steps that are taken; 1: nearly all of the image is lost, 0.2: little of it changes; "
        f"default: {DEFAULT_STRENGTH:g}",
        "Sampling",
        gt=0,
        le=1,
    )
    turns: int = option(
        5,
        "of `inpaint`: how often each step is taken, so that old and new agree",
        "Sampling",
        ge=1,
    )
    tile_size: int | None = option(
        None, "largest side of a tile, pixels; default: what `memory` allows", "Sampling", ge=1
    )
    memory: Bytes | None = option(None, PREDICTION_MEMORY, "Sampling", text=True)
    precision: PrecisionName | None = option(None, "auto, 32 or bf16; default: as trained", "Sampling")

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.inpaint is None) != (self.holes is None):
            raise ValueError("`inpaint` are images, and `holes` say where to fill them in; give both, or neither")
        if self.start is not None and self.inpaint is not None:
            raise ValueError("`start` and `inpaint` both are images that samples begin as; give one of them")
        if self.strength is not None and self.start is None:
            raise ValueError("`strength` says how much of `start` changes; give a folder of images there, too")
        sized = next((name for name in SIZED if getattr(self, name) is not None), None)
        if self.size is not None and sized is not None:
            raise ValueError(f"`size`: new images are as large as those of `{sized}`; leave it out")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"`size={','.join(map(str, self.size))}`: an image has 1 pixel or more along each axis")
        if "turns" in self.model_fields_set and self.inpaint is None:
            raise ValueError("`turns` is for `inpaint`")
        return self

    @classmethod
    def needed_of(cls, config: Mapping[str, Any]) -> list[str]:
        """Return what names the images that samples are made from, and a label or caption if one is needed."""
        needed = [name for name in ("masks", "given") if config.get(name) is not None]
        told = [own for name, own in TOLD.items() if config.get(name) is not None]
        return needed + told[:1] if config.get("condition_drop") == 0 else needed  # one of them is enough
