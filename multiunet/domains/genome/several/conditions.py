"""Conditions of genomes, which the network reads beside the sequence: classes and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from multiunet.core import Condition
from multiunet.domains.genome.names import listed
from multiunet.domains.info import Record
from multiunet.errors import InputError
from multiunet.wording import did_you_mean

NUMBER = ":number"


class ClassCondition(Record):
    """Condition with a few values, each with a learnt vector: an organism, a cell type."""

    kind: Literal["class"] = "class"
    name: str
    values: tuple[str, ...] = Field(min_length=2)

    @property
    def channels(self) -> int:
        """Features of a value."""
        return len(self.values)

    def encode(self, text: str) -> list[float]:
        """Return a value as features.

        Raises:
            InputError: for one that was not trained on, with those that were.
        """
        if text not in self.values:
            numeric = f"; to learn it as a number, train with `conditions={self.name}{NUMBER}`"
            hint = numeric if all(map(is_number, (*self.values, text))) else did_you_mean(text, self.values)
            raise InputError(
                f"`condition`: {self.name}={text} was not trained on; known are {listed(self.values)}{hint}"
            )
        return [float(text == value) for value in self.values]


class NumberCondition(Record):
    """Condition that is a number, which a learnt function reads: a dose, a time.

    Attributes:
        centre, scale: mean and deviation over the genomes.
        low, high: the smallest and the largest that was trained on.
    """

    kind: Literal["number"] = "number"
    name: str
    centre: float
    scale: PositiveFloat
    low: float
    high: float

    @property
    def channels(self) -> int:
        """Features of a value: that it is given, and how large it is."""
        return 2

    def encode(self, text: str) -> list[float]:
        """Return a value as features.

        Raises:
            InputError: for what is not a number, or outside of what was trained on.
        """
        value = float(text) if is_number(text) else math.nan
        if not self.low <= value <= self.high:
            raise InputError(
                f"`condition`: {self.name}={text} is not a number from {self.low:g} to {self.high:g}, between which "
                "it was trained"
            )
        return [1.0, (value - self.centre) / self.scale]


AnyCondition = Annotated[ClassCondition | NumberCondition, Field(discriminator="kind")]


def is_number(text: str) -> bool:
    """Return whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def describe_conditions(
    asked: Sequence[str], genomes: Mapping[str, Mapping[str, str]]
) -> tuple[ClassCondition | NumberCondition, ...]:
    """Return the conditions of a training.

    Args:
        asked: names, of numbers with ``:number`` behind.
        genomes: what each genome's columns say, by genome.

    Raises:
        InputError: for a condition that is the same everywhere, is not said of a genome, or is no number.
    """
    found: list[ClassCondition | NumberCondition] = []
    for text in asked:
        name = text.removesuffix(NUMBER)
        if any(name == other.name for other in found):
            raise InputError(f"`conditions` names {name!r} twice")
        values = {genome: words.get(name, "") for genome, words in genomes.items()}
        if unsaid := [genome for genome, value in values.items() if not value]:
            raise InputError(f"`conditions={text}`: the table does not say {name!r} of {listed(unsaid)}")
        if len(several := tuple(dict.fromkeys(values.values()))) < 2:
            raise InputError(f"`conditions={text}`: is {several[0]!r} of all genomes and tells nothing; leave it out")
        if text == name:
            found.append(ClassCondition(name=name, values=several))
            continue
        if wrong := [genome for genome, value in values.items() if not is_number(value)]:
            raise InputError(f"`conditions={text}`: {values[wrong[0]]!r} of {wrong[0]} is not a number")
        numbers = np.array([float(value) for value in values.values()])
        if numbers.std() == 0:
            raise InputError(f"`conditions={text}`: is {numbers[0]:g} of all genomes and tells nothing; leave it out")
        centre, scale = float(numbers.mean()), float(numbers.std())
        found.append(
            NumberCondition(name=name, centre=centre, scale=scale, low=float(numbers.min()), high=float(numbers.max()))
        )
    return tuple(found)


def encode(conditions: Sequence[ClassCondition | NumberCondition], told: Mapping[str, str]) -> Tensor:
    """Return conditions as features, ``(1, channels)``; those of one that is not given are 0.

    Raises:
        InputError: for a value that was not trained on.
    """
    parts = [one.encode(told[one.name]) if one.name in told else [0.0] * one.channels for one in conditions]
    return torch.tensor([[value for part in parts for value in part]], dtype=torch.float32)


def read_told(conditions: Sequence[ClassCondition | NumberCondition], given: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` texts.

    Raises:
        InputError: for other texts, or a condition that the run does not have.
    """
    told: dict[str, str] = {}
    names = [one.name for one in conditions]
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            raise InputError(f"`condition={text}`: give NAME=VALUE, with a name of {listed(names) or 'none'}")
        if name not in names:
            raise InputError(
                f"`condition={text}`: the run has no condition {name!r}{did_you_mean(name, names)}; it has "
                f"{listed(names) or 'none'}"
            )
        if name in told:
            raise InputError(f"`condition={text}`: {name!r} is told twice")
        told[name] = value
    encode(conditions, told)
    return told


@dataclass(frozen=True)
class Telling:
    """Conditions of training windows by chromosome, some of which are left out at times.

    Attributes:
        features: by chromosome, ``(1, channels)``.
        channels: of each condition.
        drop: share of the windows in which a condition is left out.
    """

    features: Mapping[str, Tensor]
    channels: tuple[int, ...]
    drop: float

    def draw(self, chrom: str, rng: np.random.Generator) -> Condition:
        """Return the condition of a window of a chromosome."""
        features = self.features[chrom].clone()
        for end, channels, chance in zip(accumulate(self.channels), self.channels, rng.random(len(self.channels))):
            if chance < self.drop:
                features[:, end - channels : end] = 0
        return Condition(features)
