"""Whole numbers in text files, as every program writes them: digits of ASCII alone."""

from __future__ import annotations

import re

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
"""Text of a whole number that 64 bits hold; Python would take ``1_000``, digits of other scripts, and any length."""


def parse_whole(text: str) -> int | None:
    """Return the whole number that a text is; None for any other text, and for more than 18 digits.

    >>> parse_whole("12"), parse_whole("-3"), parse_whole("1_000"), parse_whole("²"), parse_whole("9" * 5000)
    (12, -3, None, None, None)
    """
    return int(text) if WHOLE.fullmatch(text) else None
