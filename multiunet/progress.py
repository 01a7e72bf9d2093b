"""What a person sees while a run goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from multiunet.wording import figure


class Reporter:
    """Says nothing; the base of those that do."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        return None

    def start(self, steps: int, done: int) -> None:
        """``done`` of ``steps`` steps are behind us."""

    def step(self, loss: float) -> None:
        """One more step."""

    def row(self, row: Mapping[str, Any], best: bool) -> None:
        """An epoch's results."""

    def note(self, text: str) -> None:
        """Something worth knowing."""


QUIET = 2.0
"""Seconds between two lines where there is no terminal: a log of hundreds of quick epochs tells nobody anything."""


class ConsoleReporter(Reporter):
    """A bar with loss, validation score and time left; where there is no terminal, a line an epoch, of quick epochs one
    every two seconds and the last. On stderr."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.console = Console(stderr=True)
        self.best = ""
        self.line, self.printed = "", -math.inf
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[score]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Reporter:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.bar.stop()
        self._print_line()

    def start(self, steps: int, done: int) -> None:
        self.task = self.bar.add_task("training", total=steps, completed=done, loss="-", score="")

    def step(self, loss: float) -> None:
        self.bar.update(self.task, advance=1, loss=figure(loss))

    def row(self, row: Mapping[str, Any], best: bool) -> None:
        score, words = row.get(f"val_{self.monitor}"), ""
        if score is not None:
            if best:
                self.best = figure(score)
            self.bar.update(self.task, score=f"val {self.monitor} {figure(score)} (best {self.best})")
            words = f"  val {self.monitor} {figure(score)}{'  *' if best else ''}"
        if self.console.is_terminal:
            return
        self.line = f"epoch {row['epoch']}  loss {figure(row['loss'])}{words}  ({row['seconds']:.1f} s)"
        if time.monotonic() - self.printed >= QUIET:
            self._print_line()

    def _print_line(self) -> None:
        if self.line:
            self.console.print(self.line, highlight=False)
        self.line, self.printed = "", time.monotonic()

    def note(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
