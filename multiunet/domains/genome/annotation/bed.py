"""BED, narrowPeak and broadPeak: intervals, all of one type or each of the type that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from multiunet.domains.genome.annotation.features import Feature, FeatureFile, Strand
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

STRANDS: dict[str, Strand] = {"+": "+", "-": "-", ".": "."}
ENDINGS = (".gz", ".bgz", ".bed", ".narrowPeak", ".narrowpeak", ".broadPeak", ".broadpeak", ".gappedPeak")
WITH_BLOCKS = 12
"""Columns of a BED file whose features are in blocks."""


def read(path: Path, lines: Iterator[tuple[int, str]], types: Sequence[str] = ()) -> FeatureFile:
    """Read features; positions in the file count from 0, and ends are exclusive.

    Their type is the file's name without its endings. Where one of ``types`` is in the fourth column, as the states of
    a segmentation are, the fourth column is the type. Features in blocks (BED12) are their blocks.

    Raises:
        InputError: naming the line that is wrong.
    """
    rows = [(number, line.split()) for number, line in lines if not line.startswith(("#", "track", "browser"))]
    named = any(len(fields) > 3 and fields[3] in types for _, fields in rows)
    features: list[Feature] = []
    for number, fields in rows:
        kind = fields[3] if named and len(fields) > 3 else name_of(path)
        strand = STRANDS.get(fields[5] if len(fields) > 5 else ".", ".")
        for start, end in _blocks(path, number, fields):
            features.append(Feature(fields[0], kind, start, end, strand, number, words=frozenset(fields[3:4])))
    return FeatureFile(path, features, {})


def name_of(path: Path) -> str:
    """Return a file's name without the endings of such files."""
    name = path.name
    while name.endswith(ENDINGS) and "." in name[1:]:
        name = name.rpartition(".")[0]
    return name


def _blocks(path: Path, number: int, fields: Sequence[str]) -> list[tuple[int, int]]:
    try:
        start, end = _number(fields[1]), _number(fields[2])
        if not 0 <= start < end:
            raise ValueError("empty")
        if len(fields) < WITH_BLOCKS:
            return [(start, end)]
        sizes, offsets = ([_number(part) for part in field.strip(",").split(",")] for field in fields[10:12])
        blocks = [(start + offset, start + offset + size) for size, offset in zip(sizes, offsets)]
        if len(sizes) != len(offsets) or blocks[-1][1] != end or min(sizes) < 1:
            raise ValueError("blocks that do not fit")
        return blocks
    except (ValueError, IndexError):
        raise InputError(
            f"{path}:{number}: {' '.join(fields)[:60]!r} is not a line of BED: CHROM START END, with a start from 0 "
            "that is below the end, and blocks (columns 11 and 12) that end with the feature"
        ) from None


def _number(text: str) -> int:
    if (number := parse_whole(text)) is None:
        raise ValueError("not a whole number")
    return number
