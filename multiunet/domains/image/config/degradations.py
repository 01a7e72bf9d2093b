"""Degradations as text: ``noise:25``, ``blur:2``, ``down:4``. Imports nothing heavy."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from multiunet.domains.setting_types import split_names

EXAMPLES = {"noise": "noise:25", "blur": "blur:2", "down": "down:4"}
"""A text of each kind."""

MOST_DOWN = 16
"""Times that ``down`` leaves fewer pixels along an axis, at most."""

MOST_BLUR = 64.0
"""Pixels of the largest deviation of a blur."""


def read_degradation(text: str) -> tuple[str, float]:
    """Return the kind and the amount of a degradation.

    Raises:
        ValueError: for another kind, or an amount that it cannot have.

    >>> read_degradation("noise:25")
    ('noise', 25.0)
    """
    kind, _, number = text.partition(":")
    if kind not in EXAMPLES:
        raise ValueError(f"{text!r} is no known degradation; there are {', '.join(EXAMPLES.values())}")
    try:
        amount = float(number)
    except ValueError:
        amount = math.nan
    most = MOST_BLUR if kind == "blur" else math.inf
    if kind == "down" and amount not in range(2, MOST_DOWN + 1):
        raise ValueError(f"{text!r}: give a whole number from 2 to {MOST_DOWN}, such as {EXAMPLES[kind]}")
    if kind != "down" and not (0 < amount <= most and math.isfinite(amount)):
        up_to = f" up to {most:g}" if kind == "blur" else ""
        raise ValueError(f"{text!r}: give a positive number{up_to}, such as {EXAMPLES[kind]}")
    return kind, amount


def check_degradations(texts: list[str]) -> list[str]:
    """Check degradations, and return them; for errors see ``read_degradation``."""
    if not texts:
        raise ValueError(f"give one at least, such as {EXAMPLES['noise']}")
    for text in texts:
        read_degradation(text)
    return texts


Degradations = Annotated[list[str], BeforeValidator(split_names), AfterValidator(check_degradations)]
"""One or more, in the order in which they are applied."""
