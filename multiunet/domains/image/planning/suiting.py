"""Augmentation that suits quantities: an image and its target change alike, or not at all."""

from __future__ import annotations

from typing import Any

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo

INTENSITIES = ("brightness", "contrast", "gamma", "noise", "blur")

ALIKE = "image and target change alike"

SPOILS = "it would change the image and not the target, and so what is asked"


def suit_quantities(config: ImageTrain, info: ImageInfo) -> dict[str, tuple[Any, str]]:
    """Return the settings of augmentation that suit quantities of pixels, with reasons; given ones stay.

    Of pairs of one kind of image, brightness and contrast change in both: a sum and a product pass through noise and
    blur. A power does not: the mean of noisy numbers is not the power of the mean. Of other quantities nothing that
    tells them is changed.
    """
    found: dict[str, tuple[Any, str]] = {}
    if info.restoration is None:
        different = "images and targets are of different kinds (channels, contrast or brightness), or it was forbidden"
        found["restoration"] = (False, different)
        found["resample"] = (_given(config, "resample", True), "quantities move with their pixels")
        for name in INTENSITIES:
            found[name] = (_given(config, name, 0.0), "how bright a pixel is may tell its quantity")
        return found
    found["restoration"] = (True, info.restoration.reason)
    sharp = "interpolation would average noise and blur the target; flips and quarter turns are exact"
    found["resample"] = (_given(config, "resample", False), sharp)
    found |= {name: (getattr(config, name), ALIKE) for name in ("brightness", "contrast")}
    if info.restoration.noise is not None:
        found["contrast"] = (_given(config, "contrast", 0.0), "it would change the noise, whose deviation is known")
    found["gamma"] = (_given(config, "gamma", 0.0), "a power of noisy numbers has another mean")
    found |= {name: (_given(config, name, 0.0), SPOILS) for name in ("noise", "blur")}
    return found


def _given(config: ImageTrain, name: str, otherwise: Any) -> Any:
    """Return the setting, or what is better where the user left it open."""
    given = name in config.model_fields_set and getattr(config, name) is not None
    return getattr(config, name) if given else otherwise
