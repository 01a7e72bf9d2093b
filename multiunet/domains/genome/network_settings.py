"""Settings of a genome's network, and the defaults of each kind. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ModelWrapValidatorHandler, model_validator

from multiunet.domains.attention import AttentionTrain
from multiunet.domains.config import option
from multiunet.domains.task_defaults import fill, validate_filled
from multiunet.training.recipe import Layout

_LONG = {"attention": "full", "attention_blocks": 4, "skip": "add"}

NETWORK_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "borzoi": {**_LONG, "bin_size": 32, "stem_channels": 64, "widths": [160, 192, 192]},
    "alphagenome": {
        **_LONG,
        "bin_size": 1,
        "stem_channels": 96,
        "widths": [96, 112, 128, 144, 160, 176, 192, 192],
    },
}
"""Defaults of networks by name, where they are others than those of ``unet``: the published plan, an eighth as wide."""


class NetworkTrain(AttentionTrain):
    """Settings of the network that reads a genome."""

    network: Literal["unet", "borzoi", "alphagenome"] = option(
        "unet",
        "unet: small; borzoi and alphagenome: like these, a transformer between steps by two (`attention_blocks`, "
        "`stem_channels`, `widths`: theirs, an eighth as wide)",
        "Model",
    )
    gradient_checkpointing: bool = option(
        False, "recompute activations in the backward pass: less memory, a third more time", "Model"
    )
    memory_format: Layout | None = option(
        None, "order of axes in memory; default: the faster of the two, timed once on each machine", "Run"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _with_defaults_of_the_network(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        name = given.get("network") if isinstance(given, Mapping) else None
        if not isinstance(name, str) or name not in NETWORK_DEFAULTS:
            return handler(given)
        defaults = NETWORK_DEFAULTS[name]
        return validate_filled(given, fill(defaults, given), defaults, handler)

    @model_validator(mode="after")
    def _has_its_plan(self) -> Self:
        for name, value in {"attention": "full", "attention_levels": 1, "skip": "add"}.items():
            if self.network != "unet" and (found := getattr(self, name)) != value:
                raise ValueError(f"`{name}={found}`: `network={self.network}` has {value}; leave it out")
        return self
