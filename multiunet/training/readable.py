"""Checkpoints of a run that can be read, and what is wrong with those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multiunet.errors import InputError
from multiunet.training.checkpoint import Checkpoint, load
from multiunet.wording import listing

Problem = tuple[Path, str]
"""A checkpoint that cannot be read, and why."""


def join_problems(problems: Sequence[Problem]) -> str:
    """Return all problems in one sentence; of several files with the same reason it is given once."""
    folder, reasons = problems[0][0].parent, list(dict.fromkeys(reason for _, reason in problems))
    if len(problems) == 1:
        return f"{problems[0][0]}: {reasons[0]}"
    parts = [f"{listing([path.name for path, own in problems if own == reason])}: {reason}" for reason in reasons]
    return f"{folder}: {'; '.join(parts)}"


def find_readable(*paths: Path) -> tuple[tuple[Path, Checkpoint] | None, list[Problem]]:
    """Return the first checkpoint that can be read, if any, and what is wrong with those before it."""
    problems: list[Problem] = []
    for path in paths:
        if path.exists():
            try:
                return (path, load(path)), problems
            except InputError as error:
                problems.append((path, str(error).removeprefix(f"{path}: ")))
    return None, problems
