"""Device, precision and threads of a training: with others, its results have other last digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from multiunet.device import computes_in_bf16
from multiunet.errors import InputError
from multiunet.training.recipe import Recipe


@dataclass(frozen=True)
class Compute:
    """Kind of device, precision and number of threads that a training computes with.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``32`` or ``bf16``.
        threads: of torch on the CPU.
    """

    device: str
    precision: str
    threads: int

    @classmethod
    def choose(cls, recipe: Recipe, device: torch.device, before: Mapping[str, Any] | None) -> Compute:
        """Choose how to compute; a training that is resumed keeps its precision.

        Args:
            before: what the training computed with so far, as a checkpoint holds it; None: it is new.

        Raises:
            InputError: when the recipe asks for another precision than before.
        """
        precision = "bf16" if computes_in_bf16(recipe.precision, device) else "32"
        if before is not None and before["precision"] != precision:
            if recipe.precision != "auto":
                raise InputError(
                    f"`precision={recipe.precision}`: this run was trained with {before['precision']} so far; "
                    "resume it with that, or auto"
                )
            precision = before["precision"]
        return cls(device.type, precision, torch.get_num_threads())

    def describe_change(self, before: Mapping[str, Any] | None) -> str | None:
        """Return a warning where a resumed training will not have the bits of an uninterrupted one, else None."""
        if before is None:
            return None
        then, now = self._in_words(Compute(**before)), self._in_words(self)
        if then == now:
            return None
        return f"warning: trained {then} so far, and now {now}; results will differ in their last digits"

    @staticmethod
    def _in_words(compute: Compute) -> str:
        threads = f" with {compute.threads} threads" if compute.device == "cpu" else ""
        return f"on {compute.device}{threads}"
