"""Conditions that are left out: for guidance in sampling, and at random in training."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from torch import Tensor

from multiunet.core import Condition

GUIDES = ("labels", "words", "tokens", "embedding")
"""Parts of a condition that can be left out, and towards which a sample can be guided."""


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
