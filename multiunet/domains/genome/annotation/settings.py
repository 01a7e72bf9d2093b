"""Settings of runs that learn annotation: their own defaults, and what they do without.

It imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "task": "classes",
    "bin_size": 1,
    "loss": "bce",
    "window": 8192,
    "widths": [16, 24, 32, 48, 64],
    "dropout": 0.1,
    "epochs": 20,
    "steps_per_epoch": 50,
    "lr": 4e-3,
    "mutation_rate": 0.0,
    "reading_frames": True,
}
"""Defaults where ``annotation`` is given, if they are others than those of signals."""

ELSEWHERE = {
    "targets": "signals and classes are learnt by different runs",
    "strand_pairs": "the strands of a type are paired by themselves",
    "transform": "a bin has a class or not",
    "missing": "what an annotation does not mention has no class",
    "soft_clip": "a bin has a class or not",
    "peaks": "classes are learnt from whole chromosomes",
}
"""Settings of signals that a run on annotation has not, and why."""


def fill_defaults(given: Any) -> Any:
    """Return settings with the defaults of annotation, where a mapping gives it without another task."""
    if not isinstance(given, Mapping) or not given.get("annotation"):
        return given
    return {**DEFAULTS, **given} if given.get("task", "classes") == "classes" else given
