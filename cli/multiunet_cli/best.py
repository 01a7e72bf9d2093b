"""The best epoch of a run, as several commands tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from multiunet.wording import figure

if TYPE_CHECKING:
    from multiunet.training.run_folder import RunFolder


def validated(run: RunFolder) -> dict[str, Any]:
    """``best_epoch`` (the first is 1) and its ``validation`` scores; None both where its weights are not there."""
    best = run.best_scores()
    return {"best_epoch": best.get("epoch"), "validation": best.get("scores")}


def numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores that are single numbers."""
    return {name: value for name, value in scores.items() if isinstance(value, float)}


def in_words(run: RunFolder) -> str:
    """The best epoch and its scores on validation, in a line."""
    best = validated(run)
    if best["best_epoch"] is None:
        return "the best weights are no longer there: predictions take the last ones"
    scores = "  ".join(f"{name} {figure(value)}" for name, value in numbers(best["validation"]).items())
    return (
        f"best epoch {best['best_epoch']}, on validation: {scores}" if scores else "nothing validated: the last weights"
    )
