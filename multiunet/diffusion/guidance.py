"""Conditions that are left out: for guidance in sampling, and at random in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multiunet.core import Condition

GUIDES = ("labels", "words", "tokens", "embedding")
"""Parts of a condition that can be left out, and towards which a sample can be guided."""


@dataclass(frozen=True)
class Guidance:
    """Strength of label and caption, and the levels of noise at which it counts.

    At other levels the condition alone says what the data are, in one pass of the network in place of two. Guidance at
    the highest levels costs diversity, at the lowest it changes little (Kynkaanniemi et al. 2024, "Applying guidance
    in a limited interval improves sample and distribution quality in diffusion models", eq. 5).

    Args:
        strength: 1 is the condition alone; above it samples are more as asked.
        low, high: it counts where ``low < sigma <= high``.

    Raises:
        ValueError: when the strength is negative, or no level lies between ``low`` and ``high``.
    """

    strength: float = 1.0
    low: float = 0.0
    high: float = math.inf

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise ValueError(f"guidance {self.strength:g} is negative")
        if not 0 <= self.low < self.high:
            raise ValueError(f"no level of noise is above {self.low:g} and at most {self.high:g}")

    def at(self, levels: Tensor) -> Tensor:
        """Return the strength at each level of noise."""
        inside = (levels > self.low) & (levels <= self.high)
        return torch.where(inside, self.strength, 1.0)


def leave_out(condition: Condition, names: Collection[str] = GUIDES) -> Condition:
    """Return the condition with nothing said of label, caption or embedding; the level of noise stays.

    Labels become -1, words 0, an embedding zeros, and of tokens none is there.

    Args:
        names: the parts to leave out, of ``GUIDES``; by default all.
    """
    blank: dict[str, Callable[[Tensor], Tensor]] = {
        "labels": lambda labels: labels.new_full(labels.shape, -1),
        "words": lambda words: words.new_zeros(words.shape),
        "embedding": lambda embedding: embedding.new_zeros(embedding.shape),
    }
    parts = {
        name: make(part)
        for name, make in blank.items()
        if (part := getattr(condition, name)) is not None and name in names
    }
    tokens = condition.tokens if "tokens" in names else None
    if tokens is None:
        return replace(condition, **parts)
    return replace(condition, **parts, token_mask=tokens.new_zeros(tokens.shape[:2]).bool())


def can_be_left_out(condition: Condition | None) -> bool:
    """Return whether the condition says something of label, caption or embedding."""
    return condition is not None and bool(parts_said(condition))


def parts_said(condition: Condition) -> list[str]:
    """Return which parts that can be left out the condition has."""
    return [name for name in GUIDES if getattr(condition, name) is not None]


def leave_out_at_random(condition: Condition, drop: float, u: float) -> Condition:
    """Return the condition of a draw of training, of which some or all may be left out.

    Nothing is said with probability ``drop``. Of several parts, one alone is left out with as much probability again:
    a sample may then be asked for by a label without a caption, or the reverse.

    Args:
        u: in [0, 1), decides.
    """
    said = parts_said(condition)
    if u < drop:
        return leave_out(condition)
    if len(said) == 1 or u >= 2 * drop:
        return condition
    return leave_out(condition, [said[int((u - drop) / drop * len(said))]])
