"""Words around numbers and names."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and what it counts.

    Args:
        plural: of the noun; by default with an s.

    >>> counted(1, "image"), counted(2, "image"), counted(0, "class", "classes")
    ('1 image', '2 images', '0 classes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listing(names: Sequence[str], most: int = 5) -> str:
    """The first few of some names, and how many more there are.

    >>> listing(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
