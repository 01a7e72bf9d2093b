"""Signals and exit codes of a command."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import typer

from multiunet.errors import InputError, RunError
from multiunet.wording import printable
from multiunet_cli.wording import as_options

FAILED, BAD_INPUT, INTERRUPTED = 1, 3, 130

OUT_OF_MEMORY = "not enough memory; give smaller patches or tiles, a smaller batch, or fewer channels"


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that errors become exit codes.

    1: failed; 3: bad data or settings; 128 + n: stopped by signal n.
    """

    @functools.wraps(body)
    def guarded(*args: Any, **values: Any) -> None:
        signal.signal(signal.SIGTERM, _terminate)
        # the terminal was closed: Windows has no such signal, and `nohup` ignores it
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _terminate)
        try:
            body(*args, **values)
        except InputError as error:
            fail(str(error), BAD_INPUT)
        except RunError as error:
            fail(str(error), FAILED)
        except OSError as error:
            if error.filename is None:
                raise
            fail(f"{error.filename}: {error.strerror}", FAILED)
        except KeyboardInterrupt:
            fail("interrupted", INTERRUPTED)
        except Exception as error:
            if _is_out_of_memory(error):
                fail(f"{OUT_OF_MEMORY} ({str(error)[:200] or 'of this machine'})", FAILED)
            signum = getattr(error, "signum", None)  # training's Stopped, not imported here: it would import torch
            if signum is None:
                raise
            fail(str(error), 128 + int(signum))

    return guarded


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise NumPy's and torch's errors by name: importing torch here would make ``--help`` slow."""
    words = ("can't allocate memory", "out of memory")  # of the CPU; of CUDA's driver and libraries, and of MPS
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words))
    )


def fail(message: str, code: int) -> None:
    """Print the error on stderr and end the command with this exit code."""
    typer.secho(f"error: {printable(as_options(message))}", err=True, fg="red")
    raise typer.Exit(code)


def _terminate(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)
