"""What goes wrong through no fault of the program."""

from __future__ import annotations


class InputError(ValueError):
    """A file or a setting cannot be used. The message names it, says why, and says what to do about it."""


class RunError(RuntimeError):
    """The work began and could not be finished. The message says where it stands and what to do about it."""
