"""Settings of the patches of a training: where they lie and how they change. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.image.config.data import DataSettings
from multiunet.domains.setting_types import IntList


class PatchSettings(DataSettings):
    """Settings of the patches of a training of images."""

    instance_encoding: Literal["gap", "boundary"] = option(
        "boundary",
        "boundary: learn objects' outermost pixels as a class; gap: leave a one-pixel gap where two touch",
        "Instances",
    )
    border_weight: float = option(
        0.0,
        "largest extra weight of pixels between objects (w0; Ronneberger et al. 2015 use 10); 0: none",
        "Instances",
        ge=0,
    )
    border_sigma: float = option(5.0, "distance over which border weights fall off, in pixels", "Instances", gt=0)

    patch_size: IntList | None = option(None, "pixels of a training patch by axis; default: from the images", "Patches")
    oversample_classes: float = option(
        0.5,
        "share of patches centred near a pixel of a class: of a rare one (below 1 % of the pixels), if there is any, "
        "else each class of the image is equally likely",
        "Patches",
        ge=0,
        le=1,
    )
    flip: bool = option(True, "mirror patches, and turn them by quarters", "Patches")
    resample: bool | None = option(
        None,
        "turn patches by any angle, scale and bend them, by interpolation; default: on, but for restoration, whose "
        "noise and sharpness it would change",
        "Patches",
    )
    augment_prob: float = option(0.25, "probability of each augmentation below; 0: none", "Patches", ge=0, le=1)
    rotation: float = option(
        180.0, "largest in-plane rotation, degrees; below 90 also disables quarter turns", "Patches", ge=0, le=180
    )
    tilt: float = option(
        30.0,
        "largest out-of-plane rotation, degrees (volumes with similar spacing on all axes)",
        "Patches",
        ge=0,
        le=180,
    )
    scaling: float = option(0.25, "largest relative change of size", "Patches", ge=0, le=3)
    elastic: float = option(
        0.1,
        "elastic deformation: standard deviation of control points, as a share of their distance",
        "Patches",
        ge=0,
        le=0.3,
    )
    brightness: float = option(
        0.3,
        "largest shift, in standard deviations of the image; of the training images with `intensities=train` or none",
        "Patches",
        ge=0,
    )
    contrast: float = option(0.3, "largest relative change of contrast", "Patches", ge=0)
    gamma: float = option(0.3, "largest relative change of the gamma exponent", "Patches", ge=0)
    noise: float = option(
        0.2,
        "largest added noise, in standard deviations of the image; of the training images with `intensities=train` or "
        "none",
        "Patches",
        ge=0,
    )
    blur: float = option(1.0, "largest standard deviation of a Gaussian blur, pixels", "Patches", ge=0, le=64)

    @model_validator(mode="after")
    def _made_pairs_are_spoilt_on_purpose(self) -> Self:
        for name in ("noise", "blur"):
            if self.makes_pairs and name in self.model_fields_set and getattr(self, name):
                raise ValueError(
                    f"`{name}` would change the input of made pairs alone; degrade them by `degrade={name}:...`"
                )
        return self

    @model_validator(mode="after")
    def _ends_are_of_objects(self) -> Self:
        own = ("instance_encoding", "border_weight", "border_sigma")
        given = [name for name in own if getattr(self, name) != type(self).model_fields[name].default]
        if given and not self.instances:
            raise ValueError(f"`{given[0]}` is for `instances`, masks that number their objects")
        return self
