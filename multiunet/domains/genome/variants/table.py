"""Table of scores: text with tabs that grows record by record, and goes on where it was interrupted."""

from __future__ import annotations

import heapq
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.genome.variants.alleles import Status
from multiunet.domains.genome.variants.effects import Effect
from multiunet.domains.genome.variants.vcf import Record
from multiunet.errors import InputError
from multiunet.files import write_text

ALLELE = ("line", "chrom", "pos", "id", "ref", "alt", "ref_match", "status", "aligned")
SCORES = ("sum", "sum_sd", "sum_z", "max", "max_sd", "max_z", "log_ratio", "log_ratio_sd", "l2")
FIELDS = ("sum", "sum_sd", "sum_z", "largest", "largest_sd", "largest_z", "log_ratio", "log_ratio_sd", "l2")
COLUMNS = (*ALLELE, "track", *SCORES)


class ScoreTable:
    """Table under way, beside its place, to which it is moved once complete.

    Rows of a record are written together; of one that was cut off by a crash, those that are there are dropped.

    Args:
        out: the table's place.
        plan: all that the scores depend on, plain JSON.
        overwrite: replace a table that is there, and begin anew where one is under way by another plan.

    Attributes:
        done: line in the VCF file of the last record that is in the table; 0: none.

    Raises:
        InputError: when ``out`` exists, or the table under way is of another plan.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], overwrite: bool) -> None:
        self.out, self.part = out, out.with_name(f".{out.name}.unfinished")
        self._plan_file = out.with_name(f".{out.name}.plan.json")
        if out.is_dir():
            raise InputError(f"{out}: is a folder; give the name of a table, NAME.tsv")
        if out.suffix.lower() == ".csv":
            raise InputError(f"{out}: the columns of the table are apart by tabs, not commas; name it {out.stem}.tsv")
        if out.exists() and not overwrite:
            if not self.part.exists():  # of a process that was killed when the table was complete
                self._plan_file.unlink(missing_ok=True)
            raise InputError(f"{out}: exists; replace it by `overwrite`, or choose another name")
        text = json.dumps(plan, indent=1, sort_keys=True)
        goes_on = self.part.is_file() and self._plan_file.is_file() and self._plan_file.read_text("utf-8") == text
        if self.part.exists() and not goes_on and not overwrite:
            raise InputError(
                f"{out}: {self.part} holds unfinished scores of other settings or files; finish them with the same, "
                "drop them by `overwrite`, or choose another name"
            )
        self.done = _last_whole(self.part) if goes_on else 0
        if not self.done:
            out.parent.mkdir(parents=True, exist_ok=True)
            self.part.unlink(missing_ok=True)  # before its plan: rows never lie beside the plan of others, or none
            write_text(self._plan_file, text)
            self.part.write_text("\t".join(COLUMNS) + "\n", encoding="utf-8")
        self._file: BufferedWriter = self.part.open("ab")

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        """Write whole records, a row an allele and track."""
        self._file.write("".join("\t".join(row) + "\n" for row in rows).encode())
        self._file.flush()

    def finish(self) -> None:
        """Move the complete table to its place."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.part, self.out)
        self._plan_file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what is in it stays, to go on from."""
        self._file.close()


def make_rows(
    record: Record,
    alt: str,
    match: bool | None,
    status: Status,
    aligned: str,
    tracks: Sequence[str],
    effect: Effect | None,
) -> list[list[str]]:
    """Return the rows of an allele: one a track, or a single one where it was not scored."""
    matched = "" if match is None else "yes" if match else "no"
    place = [str(record.line), record.chrom, str(record.pos), record.id, record.ref, alt, matched, status, aligned]
    if effect is None:
        return [[*place, "", *[""] * len(SCORES)]]
    columns = [getattr(effect, name) for name in FIELDS]
    return [[*place, track, *(_text(column[index]) for column in columns)] for index, track in enumerate(tracks)]


def iter_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of scores by column."""
    with path.open(encoding="utf-8") as file:
        names = next(file).rstrip("\n").split("\t")
        for line in file:
            yield dict(zip(names, line.rstrip("\n").split("\t")))


def summarize(path: Path, count: int, units: Mapping[str, float]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the number of alleles by status, and the rows with the largest ``sum``, without its sign.

    Not those of the largest ``sum_z``: a change of nothing has a small deviation, too.

    Args:
        units: by track, in which the sums of several tracks are compared; 1 where it is not there.
    """
    found: Counter[str] = Counter()
    first: str | None = None

    def scored() -> Iterator[dict[str, str]]:
        nonlocal first
        for row in iter_rows(path):
            if first is None and row["track"]:
                first = row["track"]
            if row["track"] in ("", first):
                found[row["status"]] += 1
            if row["status"] == "scored":
                yield row

    ranked = heapq.nlargest(count, scored(), key=lambda row: abs(float(row["sum"])) / units.get(row["track"], 1.0))
    return dict(found), [{name: _parse(name, cell) for name, cell in row.items()} for row in ranked]


def _parse(name: str, cell: str) -> str | int | float | None:
    """Return the value of a cell: numbers as such, a score that there is not as None."""
    if name in SCORES:
        return float(cell) if cell else None
    return int(cell) if name in ("line", "pos") else cell


def _text(value: np.float64) -> str:
    return "" if np.isnan(value) else f"{value:.7g}"


def _last_whole(part: Path) -> int:
    """Cut off what a crash left half written; return the line of the last record that is whole, 0 without any.

    The rows of a record are written at once, but a crash may keep some of them, so those of the last one are dropped.
    """
    end, before, line = 0, 0, 0
    done = 0
    with part.open("rb+") as file:
        for row in file:
            if not row.endswith(b"\n"):
                break
            number = int(row.split(b"\t", 1)[0]) if end else 0
            if number != line:
                before, done, line = end, line, number
            end += len(row)
        file.truncate(before if line else end)
    return done
