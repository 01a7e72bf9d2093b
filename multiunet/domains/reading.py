"""Boundary around readers of files: what they raise becomes an error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from multiunet.errors import InputError, RunError

PANIC = "PanicException"
"""A panic of Rust code as PyO3 raises it: no subclass of ``Exception``, and its class cannot be imported."""

LONGEST = 160
"""Characters of a reader's own message that are shown, at most."""


@contextmanager
def reading(path: str | PathLike[str]) -> Iterator[None]:
    """Turn every exception of a reader into an ``InputError`` with file, reason and fix.

    Interruptions (``KeyboardInterrupt``, ``SystemExit``, ``GeneratorExit``) and the package's own errors pass as they
    are. Put the calls that open, decode or parse the file inside, and nothing else.

    Args:
        path: the file as the user named it.

    Raises:
        InputError: when the reader failed.
    """
    try:
        yield
    except (InputError, RunError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        raise InputError(f"{path}: {explain(error)}") from error


def explain(error: BaseException) -> str:
    """Return the reason for which a reader failed, and what to do about it, without the file's name.

    >>> explain(FileNotFoundError(2, "No such file or directory"))
    'no such file'
    >>> explain(ValueError("row 3: too short"))
    'damaged, cut short or of another format (row 3: too short); copy or export it again'
    """
    match error:
        case FileNotFoundError():
            return "no such file"
        case IsADirectoryError():
            return "a folder, where a file is needed"
        case PermissionError():
            return "permission denied; make the file readable"
        case MemoryError():
            return "does not fit into memory; split it, or use a machine with more memory"
        case RecursionError():
            return "nested too deeply to be read; save it in a flatter form"
        case NotImplementedError() | ModuleNotFoundError():
            return f"uses something that is not supported ({shorten(error)}); save it uncompressed or in another format"
        case OSError() if error.errno is not None and error.strerror:
            return f"cannot be read ({error.strerror}); check the disk and the file's permissions"
        case UnicodeDecodeError():
            return f"not text in {error.encoding.upper()} (byte {error.start:,}); save it as UTF-8"
    return f"damaged, cut short or of another format ({shorten(error)}); copy or export it again"


def shorten(error: BaseException) -> str:
    """Return an exception's message on one line of at most ``LONGEST`` characters; without one, its type."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
