"""DNA sequences: FASTA to one byte a base, and from there to one-hot rows."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from multiunet.errors import InputError

Codes = NDArray[np.uint8]
"""Bases as 0 A, 1 C, 2 G, 3 T (or U), 4 unknown."""

UNKNOWN = 4
AMBIGUOUS = "RYSWKMBDHVN"
CHUNK = 1 << 24


def _code_table() -> bytes:
    table = bytearray(b"\xff" * 256)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), (AMBIGUOUS, UNKNOWN)):
        for letter in letters:
            table[ord(letter)] = table[ord(letter.lower())] = code  # lower case is soft-masked, not unknown
    return bytes(table)


CODE = _code_table()
COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN], dtype=np.uint8)


@dataclass(frozen=True)
class Genome:
    """Sequences by name, in the order of the file.

    Attributes:
        codes: of the sequences that were asked for.
        lengths: of all sequences, in bases.
    """

    path: Path
    codes: dict[str, Codes]
    lengths: dict[str, int]


def read_fasta(path: Path, wanted: Collection[str] | None = None, renames: Mapping[str, str] | None = None) -> Genome:
    """Reads a FASTA file: plain, gzip or bgzip, in one pass, without an index (so that nothing is written beside it).

    A sequence's name is the first word of its header. Every sequence is checked, whether it is wanted or not.

    Args:
        wanted: names of the sequences whose codes are kept; None: all.
        renames: what to call sequences, by their names in the file; others keep theirs.

    Raises:
        InputError: naming file, sequence and position (from 1) of what is wrong.
    """
    codes: dict[str, Codes] = {}
    lengths: dict[str, int] = {}
    try:
        with _open(path) as stream:
            for given, letters in _records(path, stream):
                name = (renames or {}).get(given, given)
                if name in lengths:
                    raise InputError(f"{path}: two sequences are named {name!r}; names must differ")
                coded = _coded(path, name, letters)
                lengths[name] = len(coded)
                if wanted is None or name in wanted:
                    codes[name] = coded
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as FASTA ({error or type(error).__name__}); is it whole?") from error
    if not lengths:
        raise InputError(f"{path}: holds no sequence; a FASTA file has a line '>NAME' before each")
    return Genome(path, codes, lengths)


def one_hot(codes: Codes) -> NDArray[np.float32]:
    """``(L,)`` codes to ``(4, L)`` float32, rows A, C, G, T; unknown bases are columns of zeros.

    >>> one_hot(np.array([0, 3, 4], dtype=np.uint8))
    array([[1., 0., 0.], [0., 0., 0.], [0., 0., 0.], [0., 1., 0.]], dtype=float32)
    """
    rows = np.empty((4, len(codes)), dtype=np.float32)
    for base in range(4):
        rows[base] = codes == base
    return rows


def reverse_complement(codes: Codes) -> Codes:
    """The other strand, read in its own direction."""
    return COMPLEMENT[codes[::-1]]


def cut(codes: Codes, start: int, stop: int) -> Codes:
    """Bases ``[start, stop)``; unknown where that lies outside the sequence."""
    inside = codes[max(start, 0) : max(stop, 0)]
    if len(inside) == stop - start:
        return inside
    window = np.full(stop - start, UNKNOWN, dtype=np.uint8)
    before = max(0, -start)
    window[before : before + len(inside)] = inside
    return window


def gc_content(codes: Codes, bin_size: int) -> NDArray[np.float64]:
    """Share of G and C among the known bases of each bin, the last, partial one included; NaN where none is known."""
    starts = np.arange(0, len(codes), bin_size)
    known = np.add.reduceat(codes < UNKNOWN, starts, dtype=np.int64)
    strong = np.add.reduceat((codes == 1) | (codes == 2), starts, dtype=np.int64)
    return np.where(known > 0, strong / np.maximum(known, 1), np.nan)


def without_bases(codes: Codes, bin_size: int) -> NDArray[np.bool_]:
    """Which bins, ``(bins,)``, have no known base: a run of N, of which nothing can be said."""
    starts = np.arange(0, len(codes), bin_size)
    return ~np.logical_or.reduceat(codes < UNKNOWN, starts)


def _open(path: Path) -> BinaryIO:
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder, not a FASTA file' if path.is_dir() else 'no such file'}")
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _records(path: Path, stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Names and what follows them, line ends included."""
    name: str | None = None
    parts: list[bytes] = []
    while chunk := stream.read(CHUNK):
        chunk += stream.readline()  # to a line's end, so that no header is cut
        if name is None and not parts:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        first, *others = (b"\n" + chunk).split(b"\n>")
        if name is None and first.strip():
            raise InputError(f"{path}: begins with {first.strip()[:20]!r}; a FASTA file begins with '>NAME'")
        parts.append(first)
        for other in others:
            if name is not None:
                yield name, b"".join(parts)
            header, _, rest = other.partition(b"\n")
            words = header.split()
            if not words:
                raise InputError(f"{path}: a header '>' has no name after it")
            name, parts = words[0].decode("utf-8", "replace"), [rest]
    if name is not None:
        yield name, b"".join(parts)


def _coded(path: Path, name: str, letters: bytes) -> Codes:
    codes = np.frombuffer(letters.translate(CODE, b" \t\r\n"), dtype=np.uint8)
    if not len(codes):
        raise InputError(f"{path}: sequence {name!r} is empty; remove it")
    if codes.max() > UNKNOWN:
        at = int(np.argmax(codes > UNKNOWN))
        letter = chr(letters.translate(None, b" \t\r\n")[at])
        raise InputError(
            f"{path}: sequence {name!r}, position {at + 1}: {letter!r} is no nucleotide code (A, C, G, T, U or "
            f"{AMBIGUOUS}); write N for an unknown base"
        )
    return codes
