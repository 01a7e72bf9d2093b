"""Remarks on files that are read more than once, made once."""

from __future__ import annotations

import logging
from functools import cache

logger = logging.getLogger("multiunet.image")


@cache
def remark(text: str) -> None:
    """Warns, unless exactly this was said before."""
    logger.warning("%s", text)
