"""What a person sees while predictions are made."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Says nothing; the base of those that do."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        return None

    def begin(self, name: str, place: int, count: int) -> None:
        """Input number ``place``, from 0, of ``count`` is next."""

    def tile(self, done: int, count: int) -> None:
        """``done`` of the ``count`` tiles of the input are predicted."""


QUIET = 60.0
"""Seconds between two lines where there is no terminal."""


class ConsoleProgress(Progress):
    """A bar over the inputs that moves with their tiles; where there is no terminal, a line a minute. On stderr."""

    def __init__(self) -> None:
        self.console = console = Console(stderr=True)
        self.name, self.place, self.count, self.printed = "", 0, 0, time.monotonic()
        self.bar = Bar(
            TextColumn("predicting {task.fields[input]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, input="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.bar.stop()

    def begin(self, name: str, place: int, count: int) -> None:
        self.name, self.place, self.count = name, place, count
        self.bar.update(self.task, completed=place, total=count, input=escape(name))

    def tile(self, done: int, count: int) -> None:
        self.bar.update(self.task, completed=self.place + done / count)
        if not self.console.is_terminal and time.monotonic() - self.printed >= QUIET:
            self.printed = time.monotonic()
            line = f"predicting {self.name}, {self.place + 1} of {self.count}: tile {done} of {count}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
