"""Being asked to stop, and stopping between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
    """Within it, the first SIGTERM or SIGINT is noted rather than obeyed; a second one acts at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    handled = (signal.SIGTERM, signal.SIGINT)
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
