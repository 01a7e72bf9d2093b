"""Command lines in forked children: each begins with torch imported, and is struck at a stated moment.

A new interpreter takes seconds to import torch, in which a kill shows nothing. A child of this process begins at the
command line itself. It leads a group of processes, by which whatever it starts is found.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from tests.faults.killing.moments import Moments

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP}

END_SECONDS = 120.0
"""Time in which a command must end after a signal, and in which one that is not struck must be done."""

ORPHAN_SECONDS = 30.0
"""Time after the end of a command in which all that it has started must have ended, too."""


def import_all() -> None:
    """Import what the commands do, so that children need not."""
    import torch
    from multiunet_cli.heap import load

    from multiunet.domains.spec import DomainSpec, domains

    torch.set_num_threads(1)  # a pool of threads would not live in a child
    for spec in domains().values():
        if isinstance(spec, DomainSpec):
            load(spec)
    for name in ("training", "inference", "sampling", "calibration", "report.making"):
        importlib.import_module(f"multiunet.domains.{name}")
    for name in ("multiunet.training.loop", "multiunet.prediction.reading", "tifffile", "PIL.Image", "psutil"):
        importlib.import_module(name)
    build()


@functools.cache
def build() -> Any:
    """Return the command tree."""
    from multiunet_cli.application import application

    return application()


def import_too(names: Sequence[str]) -> None:
    """Import what a child had to import by itself, so that the next need not."""
    for name in names:
        if not name.startswith("_") and name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


@dataclass
class Child:
    """Process that runs a command line.

    Attributes:
        code: exit status, minus the signal that ended it; None: it runs.
    """

    pid: int
    began: float
    code: int | None = None
    seconds: float = 0.0

    def poll(self) -> int | None:
        """Return the exit status, if it has ended."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code, self.seconds = os.waitstatus_to_exitcode(status), time.monotonic() - self.began
        return self.code

    def wait(self, seconds: float) -> int | None:
        """Return the exit status; None: it runs longer than this."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.code

    def others(self) -> list[psutil.Process]:
        """Return the processes that it has started, and they in turn, that live."""
        found = []
        for process in psutil.process_iter(["pid", "status"]):
            try:
                own = process.pid != self.pid and os.getpgid(process.pid) == self.pid
            except OSError:
                continue
            if own and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def send(self, signum: int, whom: str, rng: Any) -> str:
        """Send a signal to the first process, to all, or to one of the others; return whom."""
        if whom == "one" and (others := self.others()):
            chosen = rng.choice(sorted(others, key=lambda one: one.pid))
            words = " ".join(chosen.cmdline())
            with contextlib.suppress(psutil.NoSuchProcess):
                chosen.send_signal(signum)
            return "tracker" if "resource_tracker" in words else "loader" if "spawn_main" in words else "helper"
        if whom == "all":
            with contextlib.suppress(ProcessLookupError):  # they have all just ended
                os.killpg(self.pid, signum)
            return "all"
        os.kill(self.pid, signum)
        return "first"

    def end(self) -> None:
        """End it and all that it has started."""
        for process in self.others():
            process.kill()
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(END_SECONDS)


@dataclass(frozen=True)
class Place:
    """Folders that a command sees, in ``root``: where it runs, for temporary files, and for notes about it."""

    root: Path

    @property
    def here(self) -> Path:
        """Return the folder that the command runs in."""
        return self.root / "here"

    @property
    def tmp(self) -> Path:
        """Return the folder for temporary files."""
        return self.root / "tmp"

    @property
    def side(self) -> Path:
        """Return the folder for notes."""
        return self.root / "side"

    def read(self, name: str) -> str:
        """Return what is noted under a name; nothing where nothing is."""
        path = self.side / name
        return path.read_text(errors="replace") if path.exists() else ""

    def take(self, name: str) -> bool:
        """Return whether anything is noted under a name, and forget it."""
        there = (self.side / name).exists()
        (self.side / name).unlink(missing_ok=True)
        return there


def start(place: Place, words: Sequence[str], save_seconds: float, moments: Moments) -> Child:
    """Begin a command line in a child.

    Args:
        save_seconds: between two saved states, in place of the default, which is longer than these commands.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    began = time.monotonic()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS.values())  # until the command begins
    pid = os.fork()
    if pid == 0:
        _live(place, words, save_seconds, moments)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Child(pid, began)


def _live(place: Place, words: Sequence[str], save_seconds: float, moments: Moments) -> NoReturn:
    """Run a command line as a new interpreter would, and end."""
    code = 1
    try:
        os.setpgid(0, 0)
        out, err = (os.open(place.side / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "err"))
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(place.here)
        os.environ |= {"TMPDIR": str(place.tmp), "XDG_CACHE_HOME": str(place.root / "cache"), "COLUMNS": "200"}
        tempfile.tempdir = None
        _save_often(save_seconds)
        moments.watch(place)
        code = _run(words)
        moments.note_count(place)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(words: Sequence[str]) -> int:
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS.values())
        build()(list(words))
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    except KeyboardInterrupt:  # as the command's entry point has it
        print("error: interrupted", file=sys.stderr)
        code = 130
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except SystemExit as ended:  # a signal
        code = ended.code if isinstance(ended.code, int) else 1
    return code


def _save_often(seconds: float) -> None:
    from multiunet.domains import unfinished
    from multiunet.prediction import ledger
    from multiunet.training import loop

    assert loop.fit.__kwdefaults__ is not None
    loop.fit.__kwdefaults__["save_seconds"] = seconds
    ledger.SAVE_SECONDS = unfinished.SAVE_SECONDS = seconds
