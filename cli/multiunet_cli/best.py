"""Best epoch of a run, as several commands print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from multiunet.wording import figure

if TYPE_CHECKING:
    from multiunet.training.run_folder import RunFolder


def validated(run: RunFolder) -> dict[str, Any]:
    """Return ``best_epoch`` (from 1) and its ``validation`` scores; both None if its weights are lost."""
    best = run.best_scores()
    return {"best_epoch": best.get("epoch"), "validation": best.get("scores")}


def numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    """Select the scores that are single numbers."""
    return {name: value for name, value in scores.items() if isinstance(value, float)}


def in_words(run: RunFolder) -> str:
    """Describe the best epoch and its validation scores in one line."""
    best = validated(run)
    if best["best_epoch"] is None:
        return "the best weights are no longer there: predictions take the last ones"
    scores = "  ".join(f"{name} {figure(value)}" for name, value in numbers(best["validation"]).items())
    return (
        f"best epoch {best['best_epoch']}, on validation: {scores}" if scores else "nothing validated: the last weights"
    )
