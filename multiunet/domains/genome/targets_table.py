"""Tables of targets: one signal a line, as Borzoi and baskerville have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.rows import delimiter_of, read_rows
from multiunet.errors import InputError

Values = NDArray[np.float32]

ENDINGS = (".tsv", ".txt", ".csv")

STATISTICS: Mapping[str, Callable[[Values, int], Values]] = {
    "mean": lambda mean, bases: mean,
    "avg": lambda mean, bases: mean,
    "mean_sqrt": lambda mean, bases: np.sqrt(1 + mean) - 1,
    "avg_sqrt": lambda mean, bases: np.sqrt(1 + mean) - 1,
    "sum": lambda mean, bases: mean * bases,
    "sum_sqrt": lambda mean, bases: np.sqrt(1 + mean * bases) - 1,
    "sum_exp75": lambda mean, bases: (1 + mean * bases) ** 0.75 - 1,
    "peak": lambda mean, bases: np.clip(np.sqrt(4 * mean), 0, 1),
}
"""Value of a bin from the mean over its measured bases, and the number of bases of a bin, by the name in the table."""

POWERS = ("mean_sqrt", "avg_sqrt", "sum_sqrt", "sum_exp75", "peak")


@dataclass(frozen=True)
class Target:
    """Signal, and what is made of it before it is learnt.

    Attributes:
        name: of the track; empty: the file's.
        scale: the signal is multiplied by it.
        statistic: of a bin, one of ``STATISTICS``.
        clip_soft: of what is above it the square root is taken, ``clip_soft - 1 + sqrt(value - clip_soft + 1)``.
        clip: values end at it and at its negative.
    """

    path: Path
    name: str = ""
    scale: float = 1.0
    statistic: str = "mean"
    clip_soft: float | None = None
    clip: float | None = None

    def apply(self, values: Values, bin_size: int) -> Values:
        """Return the values of bins that are learnt, ``(bins,)``.

        Scale, statistic and clips come in the order of baskerville (``hound_data_read.py``).

        Raises:
            InputError: for values below 0 of a statistic that takes a root.
        """
        scaled = values * np.float32(self.scale)
        if self.statistic in POWERS and (scaled < 0).any():
            raise InputError(f"{self.path}: has values below 0, of which sum_stat {self.statistic} takes a root")
        found = STATISTICS[self.statistic](scaled, bin_size)
        if self.clip_soft is not None:
            above = np.maximum(found - self.clip_soft, 0)
            found = found - above + (np.sqrt(above + 1) - 1)
        if self.clip is not None:
            found = np.clip(found, -self.clip, self.clip)
        return np.asarray(found, dtype=np.float32)


@dataclass(frozen=True)
class Targets:
    """Signals in their order.

    Attributes:
        partners: for each the index of the same signal on the other strand, its own without one; None: no table says.
    """

    signals: list[Target]
    partners: list[int] | None = None


def open_targets(paths: Sequence[Path]) -> Targets:
    """Return the signals of settings: files, or the lines of a table (.tsv, .txt, .csv).

    Raises:
        InputError: for a table beside other files, a line that is wrong, or a file that is not there.
    """
    tables = [path for path in paths if path.name.lower().endswith(ENDINGS)]
    if not tables:
        return Targets([Target(path) for path in paths])
    if len(paths) > 1:
        raise InputError(f"{tables[0]}: is a table of targets; give it alone, with a line for each signal")
    return _read_table(tables[0])


def _read_table(path: Path) -> Targets:
    rows = read_rows(path, delimiter_of(path))
    head = rows[0][1] if rows else []
    for column in ("identifier", "file"):
        if column not in head:
            raise InputError(
                f"{path}: has no column {column!r} in its first line ({', '.join(filter(None, head)) or 'nothing'}); a "
                "table of targets has identifier and file, and may have clip, clip_soft, scale, sum_stat, strand_pair "
                "and description, between tabs"
            )
    lines = {number: dict(zip(head, cells)) for number, cells in rows[1:]}
    if not lines:
        raise InputError(f"{path}: names no signal")
    signals = [_read_line(path, number, line) for number, line in lines.items()]
    if missing := [one.path for one in signals if not one.path.is_file()]:
        more = f" ({len(missing)} of {len(signals)} files are missing)" if len(missing) > 1 else ""
        raise InputError(f"{path}: {missing[0]} is not there{more}; files are named from the table's own folder")
    return Targets(signals, _pair(path, lines, head) if "strand_pair" in head else None)


def _read_line(path: Path, number: int, line: Mapping[str, str]) -> Target:
    if not (name := line.get("identifier", "")) or not line.get("file"):
        raise InputError(f"{path}:{number}: has no {'file' if name else 'identifier'}")
    statistic = line.get("sum_stat") or "mean"
    if statistic not in STATISTICS:
        raise InputError(f"{path}:{number}: sum_stat {statistic!r} is none of {', '.join(STATISTICS)}")
    numbers = {key: _number(path, number, key, line.get(key, "")) for key in ("scale", "clip_soft", "clip")}
    scale = 1.0 if numbers["scale"] is None else numbers["scale"]
    return Target(path.parent / line["file"], name, scale, statistic, numbers["clip_soft"], numbers["clip"])


def _number(path: Path, number: int, column: str, text: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(f"{path}:{number}: {column} is {text!r}; it is to be a number above 0")
    return value


def _pair(path: Path, lines: Mapping[int, Mapping[str, str]], head: Sequence[str]) -> list[int]:
    """Return the place of each line's partner: by number, counted as the first column counts, or by identifier."""
    names, where = [line["identifier"] for line in lines.values()], list(lines)
    numbers = [line.get("", str(place)) if "" in head else str(place) for place, line in enumerate(lines.values())]
    partners = []
    for place, line in enumerate(lines.values()):
        told = line.get("strand_pair", "")
        found = place if not told else next((list_.index(told) for list_ in (numbers, names) if told in list_), None)
        if found is None:
            raise InputError(f"{path}:{where[place]}: strand_pair {told!r} is no line's number (from 0) or identifier")
        partners.append(found)
    for place, partner in enumerate(partners):
        if partners[partner] != place:
            other = names[partner]
            raise InputError(f"{path}:{where[place]}: is paired with {other}, but that is not with {names[place]}")
    return partners
