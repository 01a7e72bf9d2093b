"""Errors that are no fault of the program."""

from __future__ import annotations


class InputError(ValueError):
    """Unusable file or setting; the message names it, the reason and the fix."""


class RunError(RuntimeError):
    """Work that began and could not be finished; the message says where it stands and what to do."""


class Diverged(RunError):
    """A network's weights, outputs or loss are not finite; the message says where."""
