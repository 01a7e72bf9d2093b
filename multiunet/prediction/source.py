"""Inputs on a grid that are read by windows, and so may be larger than memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from multiunet.core import Condition


class Reader(Protocol):
    """Function that reads a window of the input.

    It returns ``(channels, *window)``: float32, or uint8 codes that the network understands.
    """

    def __call__(self, start: Sequence[int], stop: Sequence[int], /) -> np.ndarray: ...


@dataclass(frozen=True)
class GridSource:
    """Input of a prediction.

    Attributes:
        name: of the group that holds its result.
        shape: sites by axis.
        read: gives the window ``[start, stop)`` of every axis, always within ``shape`` and what is ``beyond``.
        dims: names of the *output's* axes, e.g. ``("y", "x")``.
        coords: coordinates of the output by dimension or name; an array (on the dimension of that name) or
            ``(dimension, array)``.
        attrs: plain JSON kept with the result.
        condition: the network's conditioning inputs, one row that holds for all of the input.
        beyond: sites before and behind the input, by axis, that ``read`` gives, too, and of which nothing is predicted.
            None: there are none; what a predictor reads there is mirrored.

    Raises:
        ValueError: when the condition has several rows.
    """

    name: str
    shape: tuple[int, ...]
    read: Reader
    dims: tuple[str, ...]
    coords: Mapping[str, Any] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    condition: Condition | None = None
    beyond: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        if self.condition is not None:
            rows = [len(part) for part in (self.condition.embedding, self.condition.tokens) if part is not None]
            if any(count != 1 for count in rows):
                raise ValueError(f"{self.name}: the condition of one input has {rows[0]} rows; give one")
