"""FASTA files: sequences by name, read when they are asked for."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from multiunet.domains.genome.fasta_index import IndexedCodes, open_indexed
from multiunet.domains.genome.sequence import Codes, encode
from multiunet.domains.genome.unpack import is_packed, open_unpacked
from multiunet.domains.reading import reading
from multiunet.errors import InputError

CHUNK = 1 << 24


@dataclass(frozen=True)
class Genome:
    """Sequences of a FASTA file by name, in the order of the file.

    Attributes:
        codes: bases ``(bases,)`` by name. Those of an indexed file are read, and checked, at each look-up and not kept.
        lengths: bases by name.
    """

    path: Path
    codes: Mapping[str, Codes]
    lengths: dict[str, int]


def read_fasta(path: Path, renames: Mapping[str, str] | None = None) -> Genome:
    """Open a FASTA file: plain, gzip or bgzip. A sequence's name is the first word of its header.

    A plain file whose lines are of equal length is opened by its index (pyfaidx); see ``fasta_index``. Any other file
    is read whole, once.

    Args:
        renames: new names of sequences by their names in the file; others keep theirs.

    Raises:
        InputError: naming file, sequence and position (from 1) of what is wrong. Of an indexed file, the letters of a
            sequence are checked when it is looked up.
    """
    new_names = dict(renames or {})
    if path.is_file() and not is_packed(path) and (indexed := open_indexed(path)) is not None:
        by_name = _rename(path, indexed.lengths, new_names)
        return Genome(path, IndexedCodes(indexed, by_name), {new: indexed.lengths[old] for new, old in by_name.items()})
    codes: dict[str, Codes] = {}
    with open_unpacked(path) as stream:
        for name, letters in _iter_records(path, stream):
            if name in codes:
                raise InputError(f"{path}: two sequences are named {name!r}; names must differ")
            codes[name] = encode(path, name, letters)
    if not codes:
        raise InputError(f"{path}: holds no sequence; a FASTA file has a line '>NAME' before each")
    by_name = _rename(path, codes, new_names)
    renamed = {new: codes[old] for new, old in by_name.items()}
    return Genome(path, renamed, {name: len(sequence) for name, sequence in renamed.items()})


def _rename(path: Path, names: Mapping[str, object], renames: Mapping[str, str]) -> dict[str, str]:
    """Return the names in the file by new ones."""
    by_name: dict[str, str] = {}
    for name in names:
        new = renames.get(name, name)
        if new in by_name:
            raise InputError(f"{path}: {by_name[new]!r} and {name!r} would both be named {new!r}; names must differ")
        by_name[new] = name
    return by_name


def _iter_records(path: Path, stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield names and letters, without blanks and line ends."""
    name: str | None = None
    parts: list[bytes] = []
    for chunk in _iter_lines(path, stream):
        if name is None and not parts:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        first, *others = (b"\n" + chunk).split(b"\n>")
        if name is None and first.strip():
            shown = first.strip()[:20].decode("ascii", "replace")
            raise InputError(f"{path}: begins with {shown!r}; a FASTA file begins with '>NAME'")
        parts.append(first.translate(None, b" \t\n"))
        for other in others:
            if name is not None:
                yield name, b"".join(parts)
            header, _, rest = other.partition(b"\n")
            words = header.split()
            if not words:
                raise InputError(f"{path}: a header '>' has no name after it")
            name, parts = words[0].decode("utf-8", "replace"), [rest.translate(None, b" \t\n")]
    if name is not None:
        yield name, b"".join(parts)


def _iter_lines(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Yield chunks of whole lines; every line end (LF, CR LF, or the bare CR of old Macs and spreadsheets) as LF."""
    while True:
        with reading(path):
            chunk = stream.read(CHUNK)
            chunk += stream.readline() if chunk else b""  # to a line's end, so that headers stay whole
        if not chunk:
            return
        yield chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
