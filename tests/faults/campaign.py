"""Campaign of kills: commands of all domains are struck at random moments, and run again; not a bit may differ.

``python tests/faults/campaign.py --kills 500 --seed 0`` takes about an hour of one core. Each strike is a signal (KILL,
TERM, INT, HUP) to a command, to all of its processes or to one that it has started, at a random time of its
undisturbed duration or before a random operation on files. Then the command is given again, as its user would, until
it is done, and what is on disk is compared with what an undisturbed one leaves. ``--only N`` repeats strike N.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from killing.child import END_SECONDS, ORPHAN_SECONDS, SIGNALS, Child, Place, import_all, import_too, start
from killing.commands import COMMANDS, Command, write_data
from killing.moments import Moments
from killing.traces import compare, digest_all, find_unreadable

OTHERS = ("power", "disk", "read-only", "clock")

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
        self.findings.append({"fault": fault, "strike": number, "command": command, "how": how, "what": what})
        print(f"  {fault.upper()} {number} {command} [{how}] {what}", flush=True)

    def table(self) -> dict[str, dict[str, int]]:
        """Return strikes and findings by command."""
        rows = {name: {"strikes": count, **dict.fromkeys(FAULTS, 0)} for name, count in sorted(self.strikes.items())}
        for finding in self.findings:
            rows[finding["command"]][finding["fault"]] += 1
        return rows


class Campaign:
    """Folders, undisturbed runs, and strikes one after the other."""

    def __init__(self, root: Path, seed: int, commands: list[Command], kept: Path | None = None) -> None:
        self.place, self.seed, self.commands, self.kept = Place(root), seed, commands, kept
        self.root, self.tally = root, Tally()
        self.references: dict[str, Reference] = {}
        self.data = root / "data"
        write_data(self.data)

    def prepare(self, command: Command) -> None:
        """Make the folders anew, with what the command finds."""
        for folder in (self.place.here, self.place.tmp, self.place.side, self.root / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        if command.needs is not None:
            self.reference(command.needs)
            shutil.rmtree(self.place.here)
            shutil.copytree(self.root / "done" / command.needs, self.place.here)
        else:
            shutil.copytree(self.data, self.place.here / "data")

    def reference(self, name: str) -> Reference:
        """Return what an undisturbed run leaves; its folder is kept."""
        if name not in self.references:
            command = next(one for one in COMMANDS if one.name == name)
            self.prepare(command)
            seconds, counts, before = [], [], resource.getrusage(resource.RUSAGE_CHILDREN)
            for line in command.lines:
                child = start(self.place, line.split(), 0.0, Moments())
                if child.wait(END_SECONDS) is None or child.code not in (0, None):
                    child.end()
                    raise SystemExit(f"{name}: undisturbed, it ends with {child.code}:\n{self.place.read('err')}")
                seconds.append(child.seconds)
                counts.append(int(self.place.read("count")))
                import_too(self.place.read("modules").split())
                self.keep_output(command)
            self.references[name] = Reference(seconds, counts, digest_all(self.place.here))
            shutil.copytree(self.place.here, self.root / "done" / name)
            if left := list(self.place.tmp.iterdir()):
                self.tally.find("temporary", -1, name, "undisturbed", [path.name for path in left])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{name}: {sum(seconds):.1f} s, {worked:.1f} s of work, {sum(counts)} operations", flush=True)
        return self.references[name]

    def keep_output(self, command: Command) -> None:
        """Keep what was printed beside the other results, where it is the result."""
        if "--json" in command.lines[0]:
            (self.place.here / "printed.json").write_text(self.place.read("out"))

    def strike(self, number: int, kind: str | None) -> bool:
        """Strike a command, complete it, and compare; return whether it was struck.

        Args:
            kind: None: a signal.
        """
        rng = random.Random(f"{self.seed} {kind} {number}")
        [command] = rng.choices(self.commands, [0.15 if one.starts else 1.0 for one in self.commands])
        known = self.reference(command.name)
        self.prepare(command)
        trial = Trial(self, number, command, known, rng, kind or "signal")
        try:
            return trial.run()
        finally:
            if trial.found and self.kept is not None:
                shutil.copytree(
                    self.root,
                    self.kept / str(number),
                    ignore=shutil.ignore_patterns("done", "data"),
                    symlinks=True,
                    dirs_exist_ok=True,
                )


class Trial:
    """One command from its first strike until it is done."""

    def __init__(
        self, campaign: Campaign, number: int, command: Command, known: Reference, rng: random.Random, kind: str
    ) -> None:
        self.campaign, self.number, self.command, self.known, self.rng, self.kind = (
            *(campaign, number, command, known, rng, kind),
        )
        self.place, self.tally = campaign.place, campaign.tally
        self.how, self.found, self.replaces = kind, 0, False
        self.save_seconds = rng.choice([0.0, 0.0, 0.3])
        self.strikes = rng.choice([1, 2, 3, 4, 5]) if kind == "signal" else 1

    def find(self, fault: str, what: Any) -> None:
        self.found += 1
        self.tally.find(fault, self.number, self.command.name, self.how, what)

    def run(self) -> bool:
        times = self.known.seconds
        target = self.rng.choices(range(len(times)), times)[0]
        struck = False
        for number, line in enumerate(self.command.lines):
            words, left = line.split(), self.strikes if number == target else 0
            for attempt in range(TRIES + self.strikes):
                if attempt:
                    words = [*line.split(), *self.command.again.split(), *(["--overwrite"] if self.replaces else [])]
                left -= 1
                if left >= 0:
                    code, hit = self._strike(words, number)
                    struck = struck or hit
                    done = code == 0 if hit else self._is_done(code, attempt)
                else:
                    done = self._again(words, attempt)
                if done:
                    break
            else:
                self.find("blocked", self.place.read("err").strip().splitlines()[-3:])
                return struck
            self.campaign.keep_output(self.command)
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
        if "Traceback" in said:
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

    def _look(self, child: Child, name: str, whom: str) -> None:
        """Look at what a struck command has left."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (others := child.others()) and time.monotonic() < deadline:
            time.sleep(0.05)
        if others:
            self.find("orphans", [" ".join(other.cmdline())[:200] for other in others])
            child.end()
        said, signum = self.place.read("err"), int(SIGNALS[name])
        if "Traceback" in said:
            self.find("tracebacks", said.strip().splitlines()[-6:])
        allowed = {-signum} if name == "KILL" and whom in ("first", "all") else {0, 128 + signum, -signum}
        if whom not in ("first", "all"):
            allowed |= {1, 0}
        if child.code not in allowed:
            self.find("codes", f"{child.code}: {said.strip().splitlines()[-1:]}")
        if problems := _examine(self.place.here):
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


def _examine(folder: Path) -> list[str]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="signals to send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="*", default=[], help="parts of the names of commands; default: all")
    parser.add_argument("--minutes", type=float, default=1e6, help="end after this time")
    parser.add_argument("--only", type=int, help="number of one strike")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--keep", type=Path, help="folder for what strikes with findings have left")
    parser.add_argument("--folder", type=Path, help="folder to work in; default: a temporary one")
    given = parser.parse_args()
    chosen = [one for one in COMMANDS if not given.commands or any(part in one.name for part in given.commands)]
    import_all()
    root = Path(tempfile.mkdtemp(prefix="campaign-", dir=given.folder))
    began = time.monotonic()
    campaign = Campaign(root, given.seed, chosen, given.keep)
    number = 0
    try:
        if given.only is not None:
            campaign.strike(given.only, None)
        while given.only is None and sum(campaign.tally.strikes.values()) < given.kills:
            campaign.strike(number, None)
            number += 1
            if time.monotonic() - began > 60 * given.minutes:
                break
    finally:
        shutil.rmtree(root, ignore_errors=True)
    report(campaign.tally, given, time.monotonic() - began)


def report(tally: Tally, given: argparse.Namespace, seconds: float) -> None:
    """Print a table, and write the results."""
    totals = Counter(finding["fault"] for finding in tally.findings)
    print(json.dumps({"strikes": sum(tally.strikes.values()), **{name: totals[name] for name in FAULTS}}))
    if given.json is not None:
        content = {
            "what": f"tests/faults/campaign.py --kills {given.kills} --seed {given.seed}",
            "minutes": round(seconds / 60, 1),
            "strikes": sum(tally.strikes.values()),
            "faults": {name: totals[name] for name in FAULTS},
            "kinds": dict(sorted(tally.kinds.items())),
            "commands": tally.table(),
            "findings": tally.findings,
        }
        given.json.write_text(json.dumps(content, indent=1) + "\n")
    sys.exit(1 if tally.findings else 0)


if __name__ == "__main__":
    main()
