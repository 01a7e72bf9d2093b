"""Settings of how long a training is, checked together. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def check_length(
    epochs: int,
    most_epochs: int | None,
    minutes: float | None,
    power_averages: Sequence[float],
    usual: Collection[int | None],
) -> None:
    """Check the settings of how long a training is.

    Args:
        usual: defaults of ``epochs``, which a run's settings name though nobody gave them.

    Raises:
        ValueError: for those that contradict each other.
    """
    if minutes is not None:
        if epochs not in usual:
            raise ValueError(f"`minutes={minutes:g}` and `epochs={epochs}` both say how long; give one")
        for name, given in (("most_epochs", most_epochs), ("power_averages", power_averages)):
            if given:
                raise ValueError(f"`{name}` is of a training whose `epochs` are known; leave it or `minutes` out")
    elif most_epochs is not None and most_epochs < epochs:
        raise ValueError(f"`most_epochs={most_epochs}` is less than `epochs={epochs}`; give as many, or more")
    if power_averages and most_epochs not in (None, epochs):
        raise ValueError("`power_averages` are shares of a training whose length is known; leave `most_epochs` out")
