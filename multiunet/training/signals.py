"""Being asked to stop, and stopping between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
"""Windows has no SIGHUP, which says that the terminal was closed."""


class Stopped(Exception):
    """A signal asked the run to stop; its state is saved.

    Attributes:
        signum: the signal; a process that ends because of it exits with 128 + signum.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; state saved")
        self.signum = signum


class StopRequest:
    """Whether a signal has come."""

    signum: int | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within it, the first SIGTERM, SIGINT or SIGHUP is noted rather than obeyed; a second one acts at once."""
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


def _hangs_up_in_vain(number: int) -> bool:
    """Whether it is a SIGHUP that ``nohup`` has ignored."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
