"""Checks of settings, for errors that name the setting and what it may be."""

from __future__ import annotations

from collections.abc import Iterable


def check_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Raises ValueError when the value is none of those known."""
    known = tuple(known)
    if value not in known:
        raise ValueError(f"{name} {value!r} is none of {', '.join(known)}")


def check_least(name: str, value: float, least: float) -> None:
    """Raises ValueError when the value is less."""
    if not value >= least:
        raise ValueError(f"{name} {value} must be at least {least}")
