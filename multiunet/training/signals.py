"""Signals that ask a training to stop, which it does between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
"""Signals that ask a process to stop; SIGHUP, which Windows does not have, says that the terminal was closed."""


class Stopped(Exception):
    """Raised when a signal has asked the run to stop; its state is saved.

    Attributes:
        signum: the signal; a process that ends because of it exits with 128 + signum.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; state saved")
        self.signum = signum


class StopRequest:
    """Signal that has come; None before.

    Attributes:
        signum: its number.
    """

    signum: int | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Note the first SIGTERM, SIGINT or SIGHUP in the context rather than obey it; a second one acts."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    handled = [number for number in STOP_SIGNALS if not _hangs_up_in_vain(number)]
    before = {number: signal.getsignal(number) for number in handled}

    def note(signum: int, frame: FrameType | None) -> None:
        request.signum = signum
        for number in handled:
            signal.signal(number, before[number])

    for number in handled:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def hold_stop_signals() -> Iterator[None]:
    """Deliver stop signals of the context at its end; processes started in it never get them.

    A terminal, a batch system or ``timeout`` signals all processes of a training at once. A data worker that is just
    being started has not yet said that it ignores them, and multiprocessing's resource tracker, which cleans up after
    all workers, never ignores SIGHUP; both inherit the mask of signals that are held.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hangs_up_in_vain(number: int) -> bool:
    """Return whether it is SIGHUP, and ignored, as ``nohup`` has it."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
