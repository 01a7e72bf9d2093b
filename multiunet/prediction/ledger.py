"""Record on disk of what of a prediction is written, so that one process or several go on with it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiunet.errors import InputError
from multiunet.files import write_text
from multiunet.lock import hold_lock

PLAN = "plan.json"

DECIDED = "decided"

SAVE_SECONDS = 10.0
"""Seconds between two records of what is done: what a crash can cost."""

WAIT = 60.0
"""Seconds that a part waits for another that begins, which takes a moment."""

Start = tuple[int, ...]
"""Where the output of a tile begins, by axis."""


@dataclass(frozen=True)
class Part:
    """Share of a prediction that one process makes: ``number`` of ``count``, from 1."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"part {self.number} of {self.count}: parts are numbered from 1 to their count")

    @classmethod
    def of(cls, text: str) -> Part:
        """Return the part that ``I/N`` names."""
        return cls(*map(int, text.split("/")))

    def claims(self, place: int) -> bool:
        """Return whether the tile, or the input, at this place of all is of this part."""
        return place % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


class Ledger:
    """Record beside a prediction: what it depends on, tiles that are written, inputs that are finished.

    Each part writes a file of its own. It is removed once the prediction is complete.

    Args:
        out: the prediction's place.
        plan: all that the prediction depends on, plain JSON.
        part: which tiles this process makes.
        resume: go on where a process was that ended before.

    Attributes:
        joins: whether tiles of all parts count, and what needs whole inputs is made.

    Raises:
        InputError: when a prediction of another plan is to go on.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], part: Part | None = None, resume: bool = False) -> None:
        self.out, self.path, self._partial = out, record_of(out), partial_of(out)
        self.part, self.plan = part or Part(), json.loads(json.dumps(plan))
        self.in_parts, self.joins = part is not None, part is None
        self._resumes = resume or self.in_parts
        self._tiles: dict[str, dict[Start, Any]] = {}
        self._finished: set[str] = set()
        self._pending: list[tuple[dict[str, Any], Callable[[], None]]] = []
        self._saved = time.monotonic()
        self.goes_on()

    def goes_on(self) -> bool:
        """Return whether a prediction with the same plan was begun before, and is to be completed.

        A record without what is written is that of a process that was killed as it began, or as it removed it.

        Raises:
            InputError: when one of another plan is to go on.
        """
        before = _read_plan(self.path / PLAN) if self._resumes and self._partial.exists() else None
        if before is not None:
            self._check_same({name: value for name, value in before.items() if name != DECIDED})
        return before is not None

    def open(self) -> None:
        """Make the record, empty where nothing goes on, and read what is done.

        No other process may do so meanwhile.
        """
        if not self.goes_on():
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            write_text(self.path / PLAN, json.dumps(self.plan) + "\n")
        if (own := self._own_file()).exists():
            write_text(own, "".join(_whole_lines(own)))  # the next line begins a line
        self.read()

    def read(self) -> None:
        """Read what all parts have done."""
        self._tiles, self._finished = {}, set()
        for file in sorted(self.path.glob("part-*.jsonl")):
            for line in map(json.loads, _whole_lines(file)):
                if line.get("finished"):
                    self._finished.add(line["input"])
                else:
                    self._tiles.setdefault(line["input"], {})[tuple(line["start"])] = line["counts"]

    def agree(self, name: str, decide: Callable[[], int]) -> int:
        """Return a number that tiles depend on, as the process decided it that began."""
        plan = _read_plan(self.path / PLAN) or self.plan
        if name not in plan.get(DECIDED, {}):
            decided = decide()
            busy = f"{self.out}: other parts take long to begin; start this one again"
            with hold_lock(self.path / "plan.lock", busy, WAIT):
                plan = _read_plan(self.path / PLAN) or self.plan
                plan.setdefault(DECIDED, {}).setdefault(name, decided)
                write_text(self.path / PLAN, json.dumps(plan) + "\n")
        return int(plan[DECIDED][name])

    def is_made(self, name: str, shape: Sequence[int]) -> bool:
        """Return whether the arrays of an input are made.

        Raises:
            InputError: when they have another shape.
        """
        file = self.path / f"made-{name}.json"
        if not file.exists():
            return False
        before = json.loads(file.read_text(encoding="utf-8"))
        if before != list(shape):
            raise InputError(
                f"{self.out}: {name} had {before} sites when the prediction was begun, and has {list(shape)} now; "
                f"remove {self.path} to begin anew"
            )
        return True

    def note_made(self, name: str, shape: Sequence[int]) -> None:
        """Record that the arrays of an input are made."""
        write_text(self.path / f"made-{name}.json", json.dumps(list(shape)) + "\n")

    def has(self, name: str, start: Start) -> bool:
        """Return whether a tile of an input is written."""
        return start in self._tiles.get(name, {})

    def counts(self, name: str) -> Iterator[Any]:
        """Return what is known of each tile of an input that is written."""
        return iter(self._tiles.get(name, {}).values())

    def note(self, name: str, start: Start, counts: Any, sync: Callable[[], None]) -> None:
        """Record a tile that was written.

        Args:
            counts: what else is known of it, plain JSON.
            sync: brings it to the disk; called before the record is.
        """
        self._tiles.setdefault(name, {})[start] = counts
        self._pending.append(({"input": name, "start": list(start), "counts": counts}, sync))
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    def finish(self, name: str, sync: Callable[[], None]) -> None:
        """Record that nothing is left to do of an input; see ``note``."""
        self._finished.add(name)
        self._pending.append(({"input": name, "finished": True}, sync))

    def is_empty(self) -> bool:
        """Return whether no tile is written."""
        return not self._tiles

    def is_finished(self, name: str) -> bool:
        """Return whether nothing is left to do of an input."""
        return name in self._finished

    def save(self) -> None:
        """Bring what was recorded to the disk."""
        if not self._pending:
            return
        for _, sync in self._pending:
            sync()
        with self._own_file().open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line, _ in self._pending)
            file.flush()
            os.fsync(file.fileno())
        self._pending, self._saved = [], time.monotonic()

    def close_part(self) -> bool:
        """Record that this part is complete; return whether all parts are."""
        self.save()
        write_text(self.path / f"part-{self.part.number}.done", "")
        return not self.missing_parts()

    def missing_parts(self) -> list[int]:
        """Return the numbers of the parts that are not complete; none once another part has joined them."""
        if not self.path.exists():
            return []
        return [at for at in range(1, self.part.count + 1) if not (self.path / f"part-{at}.done").exists()]

    def join(self) -> None:
        """Let the tiles of all parts count; no other process may write meanwhile."""
        self.read()
        self.joins = True

    def remove(self) -> None:
        """Remove the record: the prediction is complete, or dropped."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _own_file(self) -> Path:
        return self.path / f"part-{self.part.number}.jsonl"

    def _check_same(self, before: Mapping[str, Any]) -> None:
        names = {*before, *self.plan}
        changed = sorted(name for name in names if before.get(name) != self.plan.get(name))
        if changed:
            was = ", ".join(f"{name} was {before.get(name)}, is {self.plan.get(name)}" for name in changed[:3])
            raise InputError(
                f"{self.out}: the prediction was begun with other settings ({was}); go on with the same, or remove "
                f"{self.path} to begin anew"
            )


def planned_parts(out: Path) -> int | None:
    """Return the number of parts of a prediction that was begun; None where none was."""
    plan = _read_plan(record_of(out) / PLAN) if partial_of(out).exists() else None
    return None if plan is None else plan.get("parts")


def is_done(out: Path, part: Part) -> bool:
    """Return whether a part of a prediction that was begun, and is not complete, is."""
    return (record_of(out) / f"part-{part.number}.done").exists()


def record_of(out: Path) -> Path:
    """Return the folder of the record of a prediction."""
    return out.with_name(f".{out.name}.ledger")


def partial_of(out: Path) -> Path:
    """Return the folder that a prediction is written into until it is complete."""
    return out.with_name(f".{out.name}.partial")


def _read_plan(path: Path) -> dict[str, Any] | None:
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan


def _whole_lines(path: Path) -> list[str]:
    """Read the lines that were written whole; of a process that was killed the last may not be."""
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
