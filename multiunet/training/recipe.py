"""Settings of the training loop. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

ScheduleName = Literal["cosine", "poly", "constant"]
OptimizerName = Literal["adamw", "adam", "sgd"]
Precision = Literal["auto", "32", "bf16"]
Layout = Literal["contiguous", "channels-last"]

SILENT_MINUTES = 30.0
"""Minutes without a sign of life from one of several processes, after which the others end; as torch waits, too."""

LONGEST_AVERAGE = 0.28
"""Longest of ``power_averages``: at 0.289 all steps would count alike."""

CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": get_args(OptimizerName),
    "schedule": get_args(ScheduleName),
    "precision": get_args(Precision),
}
"""Names that each of these settings may have."""


@dataclass(frozen=True)
class Recipe:
    """Settings of ``fit``.

    Attributes:
        epochs: number of epochs.
        most_epochs: where validation still improves after ``epochs``, it goes on in further cycles, up to so many (see
            ``Cycles``); None: it does not.
        minutes: time of steps and validations after which it ends, wherever that is, instead of ``epochs`` (see
            ``Clock``); None: epochs count.
        steps_per_epoch: optimiser steps an epoch; None: as many as draw each item once.
        batch_size: samples a batch.
        optimizer: ``adamw`` (Loshchilov & Hutter 2019), ``adam`` (Kingma & Ba 2015), or ``sgd`` with nnU-Net's Nesterov
            momentum 0.99.
        lr: peak learning rate.
        weight_decay: decoupled for adamw, L2 for the others.
        schedule: of the learning rate after the warm-up; see ``schedule``.
        warmup: share of all steps in which it rises.
        clip: largest norm of the gradient; None: any.
        accumulate: batches a step.
        ema: decay of the moving average of the weights that is validated and kept; 0: none.
        power_averages: lengths of averages of the weights, as shares of the training so far, in place of ``ema``; the
            first is validated and kept, and snapshots of all let any other length be chosen after training (Karras et
            al. 2024). Such as (0.05, 0.1); none: no such averages.
        patience: epochs without a better validation score before it stops; None: never.
        validate_every: epochs between validations; the last one is always validated.
        keep_last: of the last so many epochs that were validated (or would be, if there were data to validate on) the
            weights are kept, beside the best; None: of none.
        seed: of everything random.
        precision: of the forward pass; ``auto``: bf16 where the hardware computes in it, else 32.
        device: ``auto``, or ``cpu``, ``cuda``, ``cuda:1`` and so on, ``mps``.
        workers: processes that draw samples.

    Raises:
        ValueError: for a name that is none of those known, or a number that is out of its range.
    """

    epochs: int = 40
    most_epochs: int | None = None
    minutes: float | None = None
    steps_per_epoch: int | None = None
    batch_size: int = 4
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    schedule: ScheduleName = "cosine"
    warmup: float = 0.05
    clip: float | None = 1.0
    accumulate: int = 1
    ema: float = 0.0
    power_averages: Sequence[float] = ()
    patience: int | None = None
    validate_every: int = 1
    keep_last: int | None = None
    seed: int = 0
    precision: Precision = "auto"
    device: str = "auto"
    workers: int = 0

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {', '.join(known)}")
        for name in (
            "epochs",
            "most_epochs",
            "steps_per_epoch",
            "batch_size",
            "accumulate",
            "patience",
            "validate_every",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} {value} must be at least 1")
        if self.most_epochs is not None and self.most_epochs < self.epochs:
            raise ValueError(f"most_epochs {self.most_epochs} must be at least as many as epochs, {self.epochs}")
        if self.keep_last is not None and self.keep_last < 2:
            raise ValueError(f"keep_last {self.keep_last} must be at least 2: one is no ensemble")
        for name in ("lr", "weight_decay", "clip", "workers"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} {value} must be a number that is not negative")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ValueError(f"minutes {self.minutes} must be a positive number")
        if self.lr == 0 or self.clip == 0:
            raise ValueError(f"lr {self.lr} and clip {self.clip} must be more than 0")
        if not 0 <= self.ema < 1 or not 0 <= self.warmup <= 1:
            raise ValueError(f"ema {self.ema} must be in [0, 1), and warmup {self.warmup} in [0, 1]")
        check_averages(self.ema, self.power_averages)
        if self.power_averages and (self.most_epochs not in (None, self.epochs) or self.minutes is not None):
            raise ValueError(
                "power_averages are shares of a training whose length is known; leave most_epochs and minutes out"
            )

    def steps(self, items: int) -> int:
        """Return the optimiser steps of an epoch over data of this many items."""
        return self.steps_per_epoch or max(1, math.ceil(items / (self.batch_size * self.accumulate)))


def check_averages(ema: float, lengths: Sequence[float]) -> None:
    """Check the averages of the weights that a recipe asks for.

    Raises:
        ValueError: for both kinds, or lengths of which others cannot be made.
    """
    if not lengths:
        return
    if ema:
        raise ValueError("`ema` and `power_averages` both average the weights; give one of them")
    if len(set(lengths)) < 2 or not all(0 < length <= LONGEST_AVERAGE for length in lengths):
        raise ValueError(
            f"`power_averages={','.join(f'{length:g}' for length in lengths)}`: give two or more different shares of "
            f"the training, each in (0, {LONGEST_AVERAGE}], such as 0.05,0.1"
        )
