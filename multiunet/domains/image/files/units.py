"""Units of length as programs of microscopes write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from multiunet.errors import InputError

MICROMETRE = "\u00b5m"
"""With the micro sign, not the Greek letter, as OME and ImageJ write it."""

NAMES = {
    "pm": 1e-6,
    "\u00e5": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "\u03bcm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "metre": 1e6,
}
"""In micrometres, of units in lower case and with the Greek letter. No inches: they are a printer's."""


def micrometres(unit: object) -> float | None:
    r"""Return a unit in micrometres; None where it is not one of length.

    >>> micrometres("nm"), micrometres(r"\u00B5m"), micrometres("pixel")
    (0.001, 1.0, None)
    """
    # ImageJ escapes what is not ASCII; the micro and Angstrom signs have letters that look alike
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), str(unit))
    return NAMES.get(unicodedata.normalize("NFKC", text).strip().lower())


def pixel_sizes(given: Sequence[float], ndim: int) -> tuple[float, ...]:
    """Spread a given size of pixels, one number or one an axis, over so many axes.

    Raises:
        InputError: when it is of another number of axes.
    """
    if len(given) not in (1, ndim):
        shown = ",".join(f"{step:g}" for step in given)
        raise InputError(f"`pixel_size={shown}`: give one number, or one for each axis {', '.join('zyx'[-ndim:])}")
    return tuple(given) if len(given) == ndim else tuple(given) * ndim
