"""Trial: a command is struck, given again until it is done, and compared with an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.killing.child import END_SECONDS, ORPHAN_SECONDS, SIGNALS, Child, Place, start
from tests.faults.killing.commands import Command
from tests.faults.killing.moments import Moments
from tests.faults.killing.others import MOUNTED, strike_otherwise
from tests.faults.killing.traces import compare, digest_all, find_unreadable

FAULTS = ("bits", "unreadable", "orphans", "blocked", "leftovers", "temporary", "hangs", "tracebacks", "codes")
"""Kinds of findings: files with other bits; files that cannot be read; processes that live on; commands that do not
run again; files left over at the end; files left in the temporary folder by a command that was asked to stop;
processes that do not end; messages for programmers; exit codes that say something else."""

TRIES = 6
"""Commands are given again so often before one that is not done counts as blocked."""


@dataclass
class Reference:
    """Undisturbed run: durations and operations of its lines, and what it leaves."""

    seconds: list[float]
    counts: list[int]
    files: dict[str, str]


@dataclass
class Tally:
    """Strikes by command and kind, and findings by kind."""

    strikes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def find(self, fault: str, number: int, command: str, how: str, what: Any) -> None:
        """Note and print a finding."""
        self.findings.append({"fault": fault, "strike": number, "command": command, "how": how, "what": what})
        print(f"  {fault.upper()} {number} {command} [{how}] {what}", flush=True)

    def table(self) -> dict[str, dict[str, int]]:
        """Return strikes and findings by command."""
        rows = {name: {"strikes": count, **dict.fromkeys(FAULTS, 0)} for name, count in sorted(self.strikes.items())}
        for finding in self.findings:
            rows[finding["command"]][finding["fault"]] += 1
        return rows


def has_traceback(said: str) -> bool:
    """Return whether an error was shown to the user as a programmer sees it.

    What Python itself says of a signal that comes while it ends is not counted: the command is done.
    """
    return "Traceback" in re.sub(r"Exception ignored in.*\nTraceback", "", said)


def keep_output(place: Place, command: Command) -> None:
    """Keep what was printed beside the other results, where it is the result."""
    if "--json" in command.lines[0]:
        (place.here / "printed.json").write_text(place.read("out"))


class Trial:
    """One command from its first strike until it is done."""

    def __init__(
        self, campaign: Any, number: int, command: Command, known: Reference, rng: random.Random, kind: str
    ) -> None:
        self.campaign, self.number, self.command, self.known, self.rng, self.kind = (
            *(campaign, number, command, known, rng, kind),
        )
        self.place, self.tally = campaign.place, campaign.tally
        self.how, self.found, self.replaces = kind, 0, False
        self.save_seconds = rng.choice([0.0, 0.0, 0.3])
        self.strikes = rng.choice([1, 2, 3, 4, 5]) if kind == "signal" else 1

    def find(self, fault: str, what: Any) -> None:
        """Note a finding of this trial."""
        self.found += 1
        self.tally.find(fault, self.number, self.command.name, self.how, what)

    def run(self) -> bool:
        """Strike the command until it is done, and compare; return whether it was struck."""
        times = self.known.seconds
        target = self.rng.choices(range(len(times)), times)[0]
        struck = False
        for number, line in enumerate(self.command.lines):
            words, left = line.split(), self.strikes if number == target else 0
            for attempt in range(TRIES + self.strikes):
                if attempt:
                    words = [*line.split(), *self.command.again.split(), *(["--overwrite"] if self.replaces else [])]
                for path in self.place.here.rglob(".*.tmp*"):  # the user comes back a day later
                    os.utime(path, (0, 0))
                left -= 1
                if left >= 0:
                    code, hit = self._strike(words, number) if self.kind == "signal" else self._other(words, number)
                    struck = struck or hit
                    done = code == 0 if hit else self._is_done(code, attempt)
                else:
                    done = self._again(words, attempt)
                if done:
                    break
            else:
                self.find("blocked", self.place.read("err").strip().splitlines()[-3:])
                return struck
            keep_output(self.place, self.command)
        if struck:
            self._compare()
        return struck

    def _again(self, words: list[str], attempt: int) -> bool:
        """Give the command again, undisturbed; return whether it is done."""
        child = start(self.place, words, self.save_seconds, Moments())
        if child.wait(END_SECONDS) is None:
            self.find("hangs", "undisturbed")
            child.end()
        return self._is_done(child.code, attempt)

    def _is_done(self, code: int | None, attempt: int) -> bool:
        """Return whether a command that was not struck is done; ``--overwrite``, where it asks for that, comes next."""
        said = self.place.read("err")
        if has_traceback(said):
            self.find("tracebacks", said.strip().splitlines()[-4:])
        if code == 3 and "--overwrite" in said and attempt:
            if not compare(digest_all(self.place.here), self.known.files)[0]:
                return True
            self.replaces = True
            self.tally.kinds["given again with --overwrite"] += 1
        return code == 0

    def _strike(self, words: list[str], line: int) -> tuple[int | None, bool]:
        """Begin it and strike it; return its exit code, and whether it was struck before it ended."""
        rng, seconds, count = self.rng, self.known.seconds[line], self.known.counts[line]
        name = rng.choice(list(SIGNALS))
        whom = rng.choice(["first", "first", "all", "one"] if self.command.starts else ["first", "first", "all"])
        by_time = rng.random() < 0.5 or whom == "one"
        if by_time:
            moment = rng.random() * seconds
            self.how = f"{name} to {whom} at {moment:.2f} s of {seconds:.2f}"
            child = start(self.place, words, self.save_seconds, Moments())
            if child.wait(moment) is not None:
                return child.code, False
            whom = child.send(SIGNALS[name], whom, rng)
            self.how += f" ({whom})"
        else:
            deadline, whom = rng.randint(1, max(1, count)), "first"
            self.how = f"{name} at operation {deadline} of {count}"
            child = start(self.place, words, self.save_seconds, Moments(deadline, name))
        if child.wait(END_SECONDS) is None:
            self.find("hangs", f"{END_SECONDS:.0f} s after the signal")
            child.end()
        if not by_time and not self.place.take("struck"):
            return child.code, False
        self._look(child, name, whom)
        self.tally.strikes[self.command.name] += 1
        self.tally.kinds[f"{name} {'at a time' if by_time else 'at an operation'}"] += 1
        return child.code, True

    def _other(self, words: list[str], line: int) -> tuple[int | None, bool]:
        """Strike it in another way than by a signal; return its exit code, and whether it was struck."""
        seconds, count = self.known.seconds[line], self.known.counts[line]
        child, self.how, hit = strike_otherwise(
            self.kind, self.place, words, self.save_seconds, seconds, count, self.rng
        )
        if not hit:
            return child.code, False
        self.tally.strikes[self.command.name] += 1
        self.tally.kinds[self.kind] += 1
        said = self.place.read("err")
        if self.kind in MOUNTED:
            if has_traceback(said):
                self.find("tracebacks", said.strip().splitlines()[-6:])
            if child.code not in (1, 3):
                self.find("codes", f"{child.code}: {said.strip().splitlines()[-1:]}")
        if problems := examine(self.place.here):
            self.find("unreadable", problems)
        shutil.rmtree(self.place.tmp)
        self.place.tmp.mkdir()
        return child.code, True

    def _look(self, child: Child, name: str, whom: str) -> None:
        """Look at what a struck command has left."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (others := child.others()) and time.monotonic() < deadline:
            time.sleep(0.05)
        if others:
            self.find("orphans", [" ".join(other.cmdline())[:200] for other in others])
            child.end()
        said, signum = self.place.read("err"), int(SIGNALS[name])
        if has_traceback(said):
            self.find("tracebacks", said.strip().splitlines()[-6:])
        allowed = {0, -signum}  # 0: it was done just before
        if name != "KILL" or whom not in ("first", "all"):
            allowed.add(128 + signum)
        if whom not in ("first", "all"):
            allowed.add(1)
        exists = child.code == 3 and "--overwrite" in said  # what was struck before was complete
        if child.code not in allowed and not exists:
            self.find("codes", f"{child.code}: {said.strip().splitlines()[-1:]}")
        if problems := examine(self.place.here):
            self.find("unreadable", problems)
        if left := [path.name for path in self.place.tmp.iterdir()]:
            if name == "KILL":
                self.tally.kinds["temporary files after KILL"] += 1
            else:
                self.find("temporary", left)
            shutil.rmtree(self.place.tmp)
            self.place.tmp.mkdir()

    def _compare(self) -> None:
        differing, left = compare(digest_all(self.place.here), self.known.files)
        if differing:
            self.find("bits", differing[:8])
        if left:
            self.find("leftovers", left[:8])
        if temporary := [path.name for path in self.place.tmp.iterdir()]:
            self.find("temporary", temporary)


def examine(folder: Path) -> list[str]:
    """Look for what cannot be read, in a child: libraries start threads."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        with os.fdopen(write, "w") as file:
            try:
                file.write(json.dumps(find_unreadable(folder)))
            except BaseException as error:
                file.write(json.dumps([repr(error)]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        found: list[str] = json.loads(file.read())
    os.waitpid(pid, 0)
    return found
