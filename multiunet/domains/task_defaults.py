"""Defaults that depend on the task of a training. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from multiunet.domains.config import TrainConfig

C = TypeVar("C", bound=TrainConfig)


def fill(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the defaults of their task.

    ``power_averages`` take the place of the default ``ema``.
    """
    filled = {**defaults, **given}
    if given.get("power_averages") and "ema" not in given:
        filled["ema"] = 0.0
    return filled


def validate_filled(given: Any, filled: Any, defaults: Mapping[str, Any], validate: Callable[[Any], C]) -> C:
    """Validate settings that were filled with the defaults of their task, which count as not given.

    Args:
        given: settings as they were given.
        filled: the same with the defaults of their task; ``given`` itself where the task has none.
        defaults: those of the task, by name.
    """
    config = validate(filled)
    if filled is not given:  # what the task decides was not given
        config.model_fields_set.difference_update(defaults.keys() - given.keys())
    return config
