"""FASTA files: sequences by name, read when they are asked for."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from multiunet.domains.expansion import check_room
from multiunet.domains.genome import fasta_cache
from multiunet.domains.genome.fasta_cache import keep_codes, load_codes
from multiunet.domains.genome.fasta_index import IndexedCodes, open_indexed
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.sequence import Codes, Genome, encode
from multiunet.domains.reading import reading
from multiunet.domains.unpack import is_packed, open_unpacked
from multiunet.errors import InputError

CHUNK = 1 << 24

TOO_LONG = "unpack it (gunzip): a plain FASTA file of lines of equal length is read by parts"


def read_fasta(path: Path, renames: Mapping[str, str] | None = None) -> Genome:
    """Open a FASTA file: plain, gzip or bgzip. A sequence's name is the first word of its header.

    A plain file whose lines are of equal length is opened by its index (pyfaidx); see ``fasta_index``. Any other file
    is read whole; of a large one the bases are kept in the cache, to be mapped from there next time (``fasta_cache``).

    Args:
        renames: new names of sequences by their names in the file; others keep theirs.

    Raises:
        InputError: naming file, sequence and position (from 1) of what is wrong. Of an indexed file, the letters of a
            sequence are checked when it is looked up.
    """
    if path.is_file() and not is_packed(path) and (indexed := open_indexed(path)) is not None:
        names = _rename(path, indexed.lengths, renames or {})
        lengths = {name: indexed.lengths[old] for name, old in names.items()}
        return Genome(path, IndexedCodes(indexed, names), lengths, _changed(names))
    codes = _read_whole(path)
    names = _rename(path, codes, renames or {})
    found = {name: codes[old] for name, old in names.items()}
    return Genome(path, found, {name: len(sequence) for name, sequence in found.items()}, _changed(names))


def _read_whole(path: Path) -> dict[str, Codes]:
    """Read all sequences; those of a large file are mapped from the cache, and pass through it where they can."""
    if path.is_file() and (kept := load_codes(path)) is not None:
        return kept
    codes: dict[str, Codes] = {}
    records = _iter_codes(path)
    for name, sequence in records:
        codes[name] = sequence
        if sum(map(len, codes.values())) >= fasta_cache.FEWEST:
            keep_codes(path, ((name, [one]) for name, one in chain(_taken(codes), records)))
            return load_codes(path) or dict(_iter_codes(path))
    if not codes:
        raise InputError(f"{path}: holds no sequence; a FASTA file has a line '>NAME' before each")
    return codes


def _iter_codes(path: Path) -> Iterator[tuple[str, Codes]]:
    """Yield names and checked bases, in the order of the file."""
    names: set[str] = set()
    with open_unpacked(path) as stream:
        for name, letters in _iter_records(path, stream):
            if name in names:
                raise InputError(f"{path}: two sequences are named {name!r}; names must differ")
            names.add(name)
            yield name, encode(path, name, letters)


def _taken(codes: dict[str, Codes]) -> Iterator[tuple[str, Codes]]:
    """Yield the items of a dictionary, and remove them."""
    while codes:
        name = next(iter(codes))
        yield name, codes.pop(name)


def _rename(path: Path, names: Collection[str], renames: Mapping[str, str]) -> dict[str, str]:
    """Return the names in the file by new ones."""
    if renames and not any(name in names for name in renames):
        swapped = any(new in names for new in renames.values())
        raise InputError(
            f"{path}: has no sequence that `rename_chroms` renames ({listed(renames)}); it has {listed(names)}"
            + ("; swap the columns: the name in `fasta` comes first" if swapped else "")
        )
    old_names: dict[str, str] = {}
    for old in names:
        new = renames.get(old, old)
        if new in old_names:
            raise InputError(f"{path}: {old_names[new]!r} and {old!r} would both be named {new!r}; names must differ")
        old_names[new] = old
    return old_names


def _changed(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for new, old in names.items() if new != old}


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
        if len(parts) > 1:  # of a long sequence: its letters are joined, and then encoded
            check_room(path, 2 * sum(map(len, parts)), f"sequence {name!r}", TOO_LONG)
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
