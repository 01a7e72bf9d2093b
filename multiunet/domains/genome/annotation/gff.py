"""GFF3 and GTF: nine columns, of which the last holds attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from multiunet.domains.genome.annotation.features import Feature, FeatureFile, Strand
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

STRANDS: dict[str, Strand] = {"+": "+", "-": "-", ".": ".", "?": "."}
QUOTED = re.compile(r'(\w+)\s+(?:"([^"]*)"|([^";\s]+))')
"""Attribute of a GTF file: a key, and a value that may be in quotes."""


def read(path: Path, lines: Iterator[tuple[int, str]]) -> FeatureFile:
    """Read features; positions in the file count from 1, and ends are inclusive.

    The parts of a spread feature (exons, coding sequence) are lines of their own. Sequence behind ``##FASTA`` is left.

    Raises:
        InputError: naming the line that is wrong.
    """
    features: list[Feature] = []
    lengths: dict[str, int] = {}
    for number, line in lines:
        if line.startswith("##FASTA") or line.startswith(">"):
            break
        if line.startswith("##sequence-region"):
            words = line.split()
            if len(words) == 4 and words[2] == "1" and (length := parse_whole(words[3])) is not None:
                lengths[unquote(words[1])] = length
        if not line.startswith("#"):
            features.append(_parse(path, number, line))
    return FeatureFile(path, features, lengths)


def _parse(path: Path, number: int, line: str) -> Feature:
    fields = line.split("\t")
    start, end = map(parse_whole, fields[3:5]) if len(fields) in (8, 9) else (None, None)
    if start is None or end is None:
        raise InputError(
            f"{path}:{number}: {line[:60]!r} is not a line of GFF: nine columns between tabs, of which the fourth and "
            "the fifth are positions"
        )
    if not 1 <= start <= end:
        raise InputError(
            f"{path}:{number}: a feature from {start} to {end}; in GFF, positions count from 1, ends are inclusive and "
            "starts come first on either strand"
        )
    if fields[6] not in STRANDS:
        raise InputError(f"{path}:{number}: the strand (column 7) is {fields[6]!r}; it is to be +, - or a dot")
    name, parents, words = _read_attributes(fields[8] if len(fields) == 9 else "")
    place = (unquote(fields[0]), unquote(fields[2]), start - 1, end, STRANDS[fields[6]], number)
    return Feature(*place, name, parents, words)


def _read_attributes(text: str) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """Return the name, the parents and all values of attributes."""
    if "=" not in text or QUOTED.match(text):
        values = {key: quoted or plain for key, quoted, plain in QUOTED.findall(text)}
        return "", (), frozenset(values.values())
    pairs = [part.partition("=") for part in text.strip().split(";") if "=" in part]
    found = {key.strip(): [unquote(one) for one in value.strip().split(",")] for key, _, value in pairs}
    words = frozenset(word for values in found.values() for word in values)
    return found.get("ID", [""])[0], tuple(found.get("Parent", ())), words
