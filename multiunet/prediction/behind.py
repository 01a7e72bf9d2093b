"""Work that goes on behind other work, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def work_behind(pieces: Iterable[T], work: Callable[[T], None]) -> None:
    """Do something with each piece while the next is made, which leaves cores and disk idle at times."""
    with ThreadPoolExecutor(1) as worker:
        done = None
        for piece in pieces:
            if done is not None:
                done.result()
            done = worker.submit(work, piece)
        if done is not None:
            done.result()
