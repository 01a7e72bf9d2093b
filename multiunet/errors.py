"""What goes wrong through no fault of the program."""

from __future__ import annotations


class InputError(ValueError):
    """A file or a setting cannot be used. The message names it, says why, and says what to do about it."""
