"""Warnings of all domains: one way, each text once."""

from __future__ import annotations

import logging
from functools import cache
from os import PathLike

logger = logging.getLogger("multiunet")

MOST_FILES = 3
"""Files that are named with the same remark; of further ones it is said that they are there."""


@cache
def remark(text: str, *values: object) -> None:
    """Warn, unless exactly this was said before: the folds of a cross-validation look at the same files.

    Args:
        values: for the places (``%s``, ``%d``) of the text.
    """
    logger.warning("%s", text % values if values else text)


def remark_file(path: str | PathLike[str], text: str) -> None:
    """Warn of something about a file; of many files with the same remark the first few are named."""
    files = files_with(text)
    if str(path) in files:
        return
    files.add(str(path))
    if len(files) <= MOST_FILES:
        logger.warning("%s: %s", path, text)
    elif len(files) == MOST_FILES + 1:
        logger.warning("%s and perhaps further files: %s", path, text)


@cache
def files_with(text: str) -> set[str]:
    """Return the files of which this was said, to be added to."""
    return set()
