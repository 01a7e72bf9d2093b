from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing import resource_tracker

import pytest

from multiunet.training.signals import STOP_SIGNALS, hold_stop_signals, stop_requests

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be held there")

ASK = "import signal; print(*sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"


def held_by(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("SigBlk")).split()[1], 16)


def test_a_signal_that_comes_while_processes_start_is_delivered_afterwards() -> None:
    with stop_requests() as request:
        with hold_stop_signals():
            signal.raise_signal(signal.SIGTERM)  # to this thread: another one of the process would not hold it
            assert request.signum is None
        assert request.signum == signal.SIGTERM


def test_processes_that_are_being_started_do_not_get_stop_signals() -> None:
    with hold_stop_signals():
        done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    assert {int(number) for number in done.stdout.split()} >= set(map(int, STOP_SIGNALS))
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(STOP_SIGNALS)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the system does not say what is held")
def test_the_resource_tracker_never_dies_of_a_closed_terminal() -> None:
    tracker = resource_tracker.ResourceTracker()
    with hold_stop_signals():
        tracker.ensure_running()
    try:
        assert held_by(tracker._pid) & 1 << (signal.SIGHUP - 1)
    finally:
        tracker._stop()
