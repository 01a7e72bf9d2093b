"""Signs of life between processes, and one that sends none."""

from __future__ import annotations

import time
from multiprocessing import Pipe

import pytest

from multiunet.training.processes import links
from multiunet.training.processes.links import BEAT, Links, Loss

SILENCE = 0.6


@pytest.fixture(autouse=True)
def _no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ends the process of the tests."""
    monkeypatch.setattr(links, "GRACE_SECONDS", 3600.0)
    monkeypatch.setattr(links, "_probe", lambda connection: None)  # a pipe has no probes


def test_a_process_without_a_sign_of_life_is_missed_and_dropped() -> None:
    own, other = Pipe()
    dropped: list[int] = []
    began = time.monotonic()
    group = Links({1: own}, 2, SILENCE, dropped.append)
    try:
        loss = group.receive(30)
        assert isinstance(loss, Loss)
        assert time.monotonic() - began >= SILENCE
        assert "process 2 of 2 of this training has given no sign of life for 1 s" in group.describe(loss)
        time.sleep(0.05)
        assert dropped == [1]
    finally:
        group.close()
        other.close()


def test_signs_of_life_are_no_messages_and_keep_a_process_from_being_missed() -> None:
    one, two = Pipe()
    groups = Links({1: one}, 2, SILENCE), Links({0: two}, 2, SILENCE)
    try:
        assert groups[0].receive(3 * SILENCE) is None
        groups[0].send(b"Jhello")
        assert groups[1].receive(10) == b"Jhello"
        assert groups[0].loss is groups[1].loss is None
    finally:
        groups[1].close()
        groups[0].close()


def test_time_in_which_the_watching_process_is_stopped_itself_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = Pipe()
    jumps = iter([0.0, *(3600.0 * step for step in range(1, 10_000))])
    monkeypatch.setattr(links.time, "monotonic", lambda: next(jumps))
    group = Links({1: own}, 2, SILENCE)
    try:
        assert group.receive(SILENCE / 4) is None  # two looks, an hour apart by the clock
        other.send_bytes(BEAT)
        assert group.loss is None
    finally:
        group.close()
        other.close()
