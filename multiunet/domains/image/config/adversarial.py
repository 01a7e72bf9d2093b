"""Settings of a network that learns against an opponent. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.image.config.patches import PatchSettings

NO_OPPONENT = {
    "segmentation": "classes are told apart, not drawn; its overlap loss makes regions whole already",
    "denoise": "there is no clean image to show the opponent; learn from pairs, with `task=regression`",
    "generate": "a generator draws plausible images by itself",
}
"""Reasons why other tasks have no opponent."""


class AdversarialSettings(PatchSettings):
    """Settings of a second network, which tells what the first draws from what is true."""

    adversarial: bool = option(
        False,
        "for `task=regression`: a second network learns to tell outputs from targets, and the first to draw what it "
        "takes for true (pix2pix): sharp and plausible, not known",
        "Adversarial",
    )
    adversarial_weight: float = option(
        0.1, "weight of that term beside the loss; larger: sharper, and farther from the truth", "Adversarial", gt=0
    )
    adversarial_loss: Literal["cross-entropy", "least-squares"] = option(
        "cross-entropy", "loss of both networks in the second one's scores", "Adversarial"
    )

    @model_validator(mode="after")
    def _is_drawn(self) -> Self:
        if not self.adversarial:
            for name in ("adversarial_weight", "adversarial_loss"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"`{name}` is for `adversarial`; pass that, too")
        elif self.task != "regression":
            raise ValueError(
                f"`adversarial` is for `task=regression`, not `task={self.task}`: {NO_OPPONENT[self.task]}"
            )
        elif self.dots is not None:
            raise ValueError(
                "`adversarial`: densities of `dots` sum up to counts, and a plausible one has another sum; leave it out"
            )
        return self
