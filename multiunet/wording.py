"""Numbers and names in words."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with the noun that it counts.

    Args:
        plural: of the noun; by default with an s.

    >>> counted(1, "image"), counted(2, "image"), counted(0, "class", "classes")
    ('1 image', '2 images', '0 classes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def are(number: int, noun: str) -> str:
    """Format a number with the noun that it counts and the verb behind it.

    >>> are(1, "pixel"), are(2, "pixel")
    ('1 pixel is', '2 pixels are')
    """
    return f"{counted(number, noun)} {'is' if number == 1 else 'are'}"


def duration(seconds: float) -> str:
    """Format a time roughly.

    >>> duration(0.2), duration(42.4), duration(95), duration(600), duration(7500)
    ('1 s', '42 s', '1 min 35 s', '10 min', '2 h 5 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min{f' {rest} s' if rest else ''}"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h{f' {minutes} min' if minutes else ''}" if hours else f"{minutes} min"


def figure(value: float) -> str:
    """Format a score with four decimals, or three significant digits below 0.01.

    >>> figure(0.76543), figure(12.5), figure(0.000123456), figure(0.0), figure(float("nan"))
    ('0.7654', '12.5000', '0.000123', '0.0000', 'nan')
    """
    return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.4f}"


def alike(values: Sequence[float | None], digits: int = 4) -> list[str]:
    """Format the numbers of a column with as many decimals each, without exponents; None and NaN are "-".

    The largest has ``digits`` significant digits, and the smallest one at least, as far as eight decimals go.

    >>> alike([0.51334, 0.04211, 1.0, None]), alike([2444.4, 12.34]), alike([0.0, 0.00012])
    (['0.513', '0.042', '1.000', '-'], ['2444', '12'], ['0.0000000', '0.0001200'])
    """
    known = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    decimals = 0
    if known:
        decimals = max(digits - 1 - math.floor(math.log10(max(known))), -math.floor(math.log10(min(known))))
    decimals = min(max(decimals, 0), 8)
    return ["-" if value is None or math.isnan(value) else f"{value:.{decimals}f}" for value in values]


def percent(share: float) -> str:
    """Format a share with one decimal, or one significant digit where that would show none.

    >>> percent(0.4567), percent(0.000027), percent(4e-10), percent(0.0)
    ('45.7%', '0.003%', '0.00000004%', '0.0%')
    """
    if share == 0 or share >= 0.0005:
        return f"{share:.1%}"
    decimals = -math.floor(math.log10(100 * share))  # of the first digit that is not 0
    return f"{100 * share:.{decimals}f}%"


def listing(names: Sequence[str], most: int = 5) -> str:
    """List the first few names, and say how many more there are.

    >>> listing(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def printable(text: str) -> str:
    """Return a text whose control characters are escaped: those in names could drive the terminal.

    >>> print(printable("a\x1b[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def as_word(value: object) -> str:
    """Return a path or name as one word of a command line, in quotes where a shell would part it.

    >>> print(as_word("runs/a"), as_word("runs/grün 2"), as_word("$HOME"))
    runs/a 'runs/grün 2' '$HOME'
    """
    text = str(value)
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else shlex.quote(text)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return `` (did you mean 'x'?)`` where a known name is close, else nothing."""
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
