"""Progress of a training or a prediction, as a person sees it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from multiunet.wording import duration, figure

SECONDS_BETWEEN_EPOCHS = 2.0
"""Shortest time between two lines of a training where there is no terminal: hundreds of quick epochs fill a log."""

SECONDS_TO_A_LINE = 5.0
"""Time to the first line of a prediction, or within an epoch, where there is no terminal; each next one takes twice as
long, up to ``SECONDS_BETWEEN_LINES``."""

SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Silent progress, and the base class of every other.

    Use it as a context manager around a training (``start_training``, ``add_step``, ``add_epoch``) or a prediction
    (``start_input``, ``update_tiles``).
    """

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        return None

    def start_training(self, steps: int, done: int, monitor: str | None = None) -> None:
        """Announce a training of ``steps`` steps, ``done`` of which were taken before a restart.

        Args:
            monitor: the validation score that chooses the best weights, if any.
        """

    def start_by_clock(self, seconds: float, spent: float, monitor: str | None = None) -> None:
        """Announce a training that takes so many seconds, of which ``spent`` were before a restart."""

    def extend_training(self, steps: int, why: str) -> None:
        """Announce that the training goes on to so many steps, and why."""

    def add_step(self, loss: float) -> None:
        """Count one more step with this training loss."""

    def add_epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """Show the results of an epoch, the same as its row in ``metrics.jsonl``."""

    def start_input(self, name: str, index: int, count: int, verb: str = "predicting") -> None:
        """Announce the prediction of input number ``index``, from 0, of ``count``; or what else ``verb`` says."""

    def update_tiles(self, done: int, count: int, noun: str = "") -> None:
        """Show that ``done`` of the input's ``count`` tiles are predicted.

        Args:
            noun: what they are, where not tiles of an image or chromosome, or steps of a sampler.
        """

    def note(self, text: str) -> None:
        """Show a remark or a warning."""


class Pace:
    """Speed of a piece of work, from which follows when it will be done.

    Args:
        done: what is done of it already.
    """

    def __init__(self, done: float) -> None:
        self._began, self._first = time.monotonic(), done

    def is_of(self, done: float) -> bool:
        """Return whether it was begun when so much was done."""
        return self._first == done

    def in_words(self, done: float, total: float) -> str:
        """Say how long it will take still, as the end of a line; nothing before any of it is done."""
        gained = done - self._first
        if gained <= 0 or done >= total:
            return ""
        return f", {duration((time.monotonic() - self._began) * (total - done) / gained)} left"


SILENT = Progress()
"""Progress that nobody sees."""


class ConsoleProgress(Progress):
    """Progress on stderr: a bar in a terminal, else a line now and then, with the time left."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bar: Bar | None = None
        self._monitor: str | None = None
        self._best = self._name = self._verb = ""
        self._index = self._count = self._steps = self._taken = 0
        self._line, self._printed, self._wait = "", -math.inf, SECONDS_TO_A_LINE
        self._pace = Pace(0)
        self._deadline: float | None = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None
        self._print_line()

    def start_training(self, steps: int, done: int, monitor: str | None = None) -> None:
        self._monitor, self._best = monitor or "loss", ""
        self._steps, self._taken, self._pace, self._deadline = steps, done, Pace(done), None
        self._printed = time.monotonic() - SECONDS_BETWEEN_EPOCHS
        self._start_bar("training", "loss {task.fields[loss]}  {task.fields[score]}", loss="-", score="")
        self._update(total=steps, completed=done)

    def start_by_clock(self, seconds: float, spent: float, monitor: str | None = None) -> None:
        self.start_training(math.ceil(seconds), round(spent), monitor)
        self._taken, self._deadline = 0, time.monotonic() + seconds - spent

    def extend_training(self, steps: int, why: str) -> None:
        self._steps = steps
        self._update(total=steps)
        self.note(why)

    def add_step(self, loss: float) -> None:
        self._taken += 1
        if self._deadline is None:
            self._update(completed=self._taken, loss=figure(loss))
        else:
            self._update(completed=min(self._steps, self._steps + time.monotonic() - self._deadline), loss=figure(loss))
        if self._is_due():
            of = f" of {self._steps}" if self._deadline is None else ""
            self._line = f"step {self._taken}{of}  loss {figure(loss)}{self._left()}"
            self._print_line()

    def add_epoch(self, row: Mapping[str, Any], best: bool) -> None:
        score, words = row.get(f"val_{self._monitor}"), ""
        if score is not None:
            if best:
                self._best = figure(score)
            self._update(score=f"val {self._monitor} {figure(score)} (best {self._best})")
            words = f"  val {self._monitor} {figure(score)}{'  *' if best else ''}"
        if self.console.is_terminal:
            return
        self._line = f"epoch {row['epoch']}  loss {figure(row['loss'])}{words}  ({row['seconds']:.1f} s{self._left()})"
        if time.monotonic() - self._printed >= SECONDS_BETWEEN_EPOCHS:
            self._print_line()

    def start_input(self, name: str, index: int, count: int, verb: str = "predicting") -> None:
        if self._bar is None:
            self._printed, self._pace = time.monotonic(), Pace(index)
            self._start_bar(f"{verb} {{task.fields[input]}}", input="")
        self._verb = verb
        self._name, self._index, self._count = name, index, count
        self._update(completed=index, total=count, input=escape(name))

    def update_tiles(self, done: int, count: int, noun: str = "") -> None:
        reached = self._index + done / count
        self._update(completed=reached)
        if done == 1 and self._pace.is_of(self._index):
            self._pace = Pace(reached)  # what is done first loads and warms up; it says nothing of the others
        if self._is_due():
            part = noun or ("tile" if self._verb == "predicting" else "step")
            what = f"{self._verb} {self._name}, {self._index + 1} of {self._count}: {part} {done} of {count}"
            self._line = f"{what}{self._pace.in_words(reached, self._count)}"
            self._print_line()

    def note(self, text: str) -> None:
        self._print_line()  # a remark follows what it is about
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        """Say how long the training will take still, as the end of a line."""
        if self._deadline is None:
            return self._pace.in_words(self._taken, self._steps)
        left = self._deadline - time.monotonic()
        return f", {duration(left)} left" if left > 0 else ""

    def _start_bar(self, title: str, scores: str = "", **fields: Any) -> None:
        columns = [TextColumn(title), BarColumn(), MofNCompleteColumn(), *([TextColumn(scores)] if scores else [])]
        times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
        self._bar = Bar(*columns, *times, console=self.console, disable=not self.console.is_terminal)
        self._bar.add_task("", total=None, **fields)
        self._bar.start()

    def _update(self, **changes: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], **changes)

    def _is_due(self) -> bool:
        """Return whether it is time for a line, where there is no terminal; the next one takes longer."""
        if self.console.is_terminal or time.monotonic() - self._printed < self._wait:
            return False
        self._wait = min(2 * self._wait, SECONDS_BETWEEN_LINES)
        return True

    def _print_line(self) -> None:
        if self._line:
            self.console.print(self._line, markup=False, highlight=False, soft_wrap=True)
            self._line, self._printed = "", time.monotonic()
