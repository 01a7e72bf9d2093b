"""Warnings of all domains: one way, each text once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from os import PathLike
from pathlib import Path

from multiunet.wording import listing

logger = logging.getLogger("multiunet")

MOST_FILES = 3
"""Files that are named with the same remark; of further ones it is said that they are there."""

_gathered: ContextVar[dict[str, list[tuple[str, str]]] | None] = ContextVar("gathered", default=None)
"""By remark the files that it is about, each with what is its own; None: remarks are said at once."""

_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def no_remarks() -> Iterator[None]:
    """Say nothing in this block, of what was said just before, for example."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


@cache
def remark(text: str, *values: object) -> None:
    """Warn, unless exactly this was said before: the folds of a cross-validation look at the same files.

    Args:
        values: for the places (``%s``, ``%d``) of the text.
    """
    if not _silent.get():
        logger.warning("%s", text % values if values else text)


def remark_file(path: str | PathLike[str], text: str, own: str = "") -> None:
    """Warn of something about a file, once; of many files with the same remark the first few are named.

    Args:
        own: what differs from file to file, such as a shape; said in front of the text, and of the first file alone.
    """
    files = files_with(text)
    if str(path) in files:
        return
    files.add(str(path))
    gathered = _gathered.get()
    if gathered is not None:
        gathered.setdefault(text, []).append((str(path), own))
    elif len(files) <= MOST_FILES:
        _say(text, [(str(path), own)])
    elif len(files) == MOST_FILES + 1:
        logger.warning("%s and perhaps further files: %s", path, text)


@contextmanager
def gather_remarks() -> Iterator[None]:
    """Say each remark on files once, with all the files that it is about, when the block ends."""
    if _gathered.get() is not None:  # said by the outer block
        yield
        return
    found: dict[str, list[tuple[str, str]]] = {}
    token = _gathered.set(found)
    try:
        yield
    finally:
        _gathered.reset(token)
        for text, files in found.items():
            _say(text, files)


def _say(text: str, files: Sequence[tuple[str, str]]) -> None:
    if _silent.get():
        return
    (path, own), *others = files
    more = f" (so it is with {listing([Path(other).name for other, _ in others], MOST_FILES - 1)})" if others else ""
    logger.warning("%s: %s%s%s", path, f"{own}; " if own else "", text, more)


@cache
def files_with(text: str) -> set[str]:
    """Return the files of which this was said, to be added to."""
    return set()
