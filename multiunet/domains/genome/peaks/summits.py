"""Summits of peaks, as narrowPeak files have them."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.genome.intervals import read_column, read_intervals
from multiunet.domains.genome.names import match_chromosomes
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

COLUMN = 9
"""Column of a narrowPeak file, from 0, with the bases between a peak's start and its summit; -1: not called."""


def read_summits(path: Path, genome: Genome) -> dict[tuple[str, int, int], list[int]]:
    """Return the summits of peaks by chromosome, start and end, in the order of the file.

    A peak with several summits is there several times. Peaks without one, and those of other files than narrowPeak, are
    not there.

    Raises:
        InputError: for a summit that is no whole number, or lies behind its peak.
    """
    summits: dict[tuple[str, int, int], list[int]] = {}
    if not path.name.lower().removesuffix(".gz").removesuffix(".bgz").endswith(".narrowpeak"):
        return summits
    intervals, offsets = read_intervals(path, "BED"), read_column(path, COLUMN)
    for name, chrom in match_chromosomes(path, intervals, genome, genome.path).items():
        rows = intervals[name]
        for start, end, line in zip(rows.starts.tolist(), rows.ends.tolist(), rows.lines.tolist()):
            offset = _parse(path, line, offsets.get(line, "-1"), end - start)
            if offset >= 0:
                summits.setdefault((chrom, start, end), []).append(start + offset)
    return summits


def _parse(path: Path, line: int, text: str, width: int) -> int:
    offset = parse_whole(text)
    if offset is not None and -1 <= offset < width:
        return offset
    raise InputError(
        f"{path}:{line}: the summit (column 10) is {text!r}; in narrowPeak it counts bases from the peak's start, here "
        f"0 to {width - 1}, or is -1"
    )
