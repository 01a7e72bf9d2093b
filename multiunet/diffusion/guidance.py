"""Conditions that are left out: for guidance in sampling, and at random in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from multiunet.core import Condition

GUIDES = ("labels", "words", "tokens", "embedding")
"""Parts of a condition that can be left out, and towards which a sample can be guided."""


def leave_out(condition: Condition) -> Condition:
    """Return the condition with nothing said of label, caption or embedding; the level of noise stays.

    Labels become -1, words 0, an embedding zeros, and of tokens none is there.
    """
    blank: dict[str, Callable[[Tensor], Tensor]] = {
        "labels": lambda labels: labels.new_full(labels.shape, -1),
        "words": lambda words: words.new_zeros(words.shape),
        "embedding": lambda embedding: embedding.new_zeros(embedding.shape),
    }
    parts = {name: make(part) for name, make in blank.items() if (part := getattr(condition, name)) is not None}
    tokens = condition.tokens
    if tokens is None:
        return replace(condition, **parts)
    return replace(condition, **parts, token_mask=tokens.new_zeros(tokens.shape[:2]).bool())


def can_be_left_out(condition: Condition | None) -> bool:
    """Return whether the condition says something of label, caption or embedding."""
    return condition is not None and any(getattr(condition, name) is not None for name in GUIDES)
