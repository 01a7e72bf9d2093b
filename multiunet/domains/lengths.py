"""Settings of how long a training is, checked together. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiunet.domains.config import TrainConfig


def check_length(config: TrainConfig) -> None:
    """Check the settings of how long a training is.

    Raises:
        ValueError: for those that contradict each other.
    """
    if config.minutes is not None:
        _check_clock(config)
    elif config.most_epochs is not None and config.most_epochs < config.epochs:
        raise ValueError(
            f"`most_epochs={config.most_epochs}` is less than `epochs={config.epochs}`; give as many, or more"
        )
    if config.power_averages and config.most_epochs not in (None, config.epochs):
        raise ValueError("`power_averages` are shares of a training whose length is known; leave `most_epochs` out")


def _check_clock(config: TrainConfig) -> None:
    """Check settings beside ``minutes``; the default of ``epochs`` is not counted, and a run's settings name it."""
    usual = {own.get("epochs") for own in config.by_task.values()} | {type(config).model_fields["epochs"].default}
    if config.epochs not in usual:
        raise ValueError(f"`minutes={config.minutes:g}` and `epochs={config.epochs}` both say how long; give one")
    for name in ("most_epochs", "power_averages"):
        if getattr(config, name):
            raise ValueError(f"`{name}` is of a training whose `epochs` are known; leave it or `minutes` out")
