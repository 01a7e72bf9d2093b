"""Campaign of kills: commands of all domains are struck at random moments, and run again; not a bit may differ.

``python tests/faults/campaign.py --kills 500 --seed 0`` takes about an hour of one core. Each strike is a signal (KILL,
TERM, INT, HUP) to a command, to all of its processes or to one that it has started, at a random time of its
undisturbed duration or before a random operation on files. Then the command is given again, as its user would, until
it is done, and what is on disk is compared with what an undisturbed one leaves. Other strikes follow: power that is
lost, a clock that is set back, and, for the superuser, a full disk and one that becomes read-only. ``--only 12``
repeats signal 12, and ``--only 3 --kind power`` strike 3 of lost power.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults.killing.child import END_SECONDS, Place, import_all, import_too, start
from tests.faults.killing.commands import COMMANDS, Command, write_data
from tests.faults.killing.moments import Moments
from tests.faults.killing.others import MOUNTED, OTHERS, can_mount, own_disk
from tests.faults.killing.traces import digest_all
from tests.faults.killing.trial import FAULTS, Reference, Tally, Trial, keep_output


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
                keep_output(self.place, command)
            self.references[name] = Reference(seconds, counts, digest_all(self.place.here))
            shutil.copytree(self.place.here, self.root / "done" / name)
            if left := list(self.place.tmp.iterdir()):
                self.tally.find("temporary", -1, name, "undisturbed", [path.name for path in left])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{name}: {sum(seconds):.1f} s, {worked:.1f} s of work, {sum(counts)} operations", flush=True)
        return self.references[name]

    def strike_often(self, count: int, kind: str | None, end: float) -> None:
        """Strike so often, or until this time."""
        goal, number = sum(self.tally.strikes.values()) + count, 0
        while sum(self.tally.strikes.values()) < goal and time.monotonic() < end and number < 3 * count + 10:
            self.strike(number, kind)
            number += 1

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
        with own_disk(self.place.here, trial.kind):
            try:
                return trial.run()
            finally:
                if trial.found and self.kept is not None:
                    left = self.kept / f"{trial.kind}-{number}"
                    shutil.copytree(self.root, left, ignore=shutil.ignore_patterns("done", "data", "before"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="signals to send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="*", default=[], help="parts of the names of commands; default: all")
    parser.add_argument("--minutes", type=float, default=1e6, help="end after this time")
    parser.add_argument("--others", nargs="*", default=OTHERS, choices=OTHERS, help="other strikes, one to 25 signals")
    parser.add_argument("--only", type=int, help="number of one strike")
    parser.add_argument("--kind", choices=OTHERS, help="of this one strike; default: a signal")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--keep", type=Path, help="folder for what strikes with findings have left")
    parser.add_argument("--folder", type=Path, help="folder to work in; default: a temporary one")
    given = parser.parse_args()
    chosen = [one for one in COMMANDS if not given.commands or any(part in one.name for part in given.commands)]
    import_all()
    root = Path(tempfile.mkdtemp(prefix="campaign-", dir=given.folder))
    began = time.monotonic()
    campaign = Campaign(root, given.seed, chosen, given.keep)
    kinds = [kind for kind in given.others if can_mount() or kind not in MOUNTED]
    end = began + 60 * given.minutes
    try:
        if given.only is not None:
            campaign.strike(given.only, given.kind)
        else:
            campaign.strike_often(given.kills, None, end)
            for kind in kinds:
                campaign.strike_often(given.kills // 25, kind, end)
    finally:
        report(campaign.tally, given, time.monotonic() - began)
        shutil.rmtree(root, ignore_errors=True)
    sys.exit(1 if campaign.tally.findings else 0)


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


if __name__ == "__main__":
    main()
