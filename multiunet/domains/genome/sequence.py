"""DNA sequences as one byte a base, and as one-hot rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.genome.bases import Bases, lazily, stretches
from multiunet.errors import InputError

Codes = NDArray[np.uint8]
"""Bases as 0 A, 1 C, 2 G, 3 T (or U), 4 unknown."""

UNKNOWN = 4
AMBIGUOUS = "RYSWKMBDHVN"


@dataclass(frozen=True)
class Genome:
    """Sequences of a FASTA file by name, in the order of the file.

    Attributes:
        codes: bases ``(bases,)`` by name. Those of an indexed file are read, and checked, at each look-up and not kept.
        lengths: bases by name.
        renamed: names in the file by those that they have here, of sequences that were renamed.
    """

    path: Path
    codes: Mapping[str, Codes]
    lengths: Mapping[str, int]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def open(self, name: str) -> Bases:
        """Return a sequence that is read by stretches, each checked when it is asked for."""
        return self.codes.open(name) if isinstance(self.codes, OpenedCodes) else lazily(self.codes[name])

    def keep(self, names: Iterable[str]) -> dict[str, Codes]:
        """Return the codes of some sequences; those of a large file are mapped from the cache."""
        codes = self.codes.keep() if isinstance(self.codes, OpenedCodes) else self.codes
        return {name: codes[name] for name in names}


class OpenedCodes(Mapping[str, Codes]):
    """Codes by name that are read at each look-up, from an open file."""

    @abstractmethod
    def open(self, name: str) -> Bases:
        """Return a sequence that is read by stretches."""

    @abstractmethod
    def keep(self) -> Mapping[str, Codes]:
        """Return all codes; those of a large file are mapped from the cache."""


def _code_table() -> bytes:
    table = bytearray(b"\xff" * 256)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), (AMBIGUOUS, UNKNOWN)):
        for letter in letters:
            table[ord(letter)] = table[ord(letter.lower())] = code  # lower case is soft-masked, not unknown
    return bytes(table)


CODE = _code_table()
COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN], dtype=np.uint8)


def encode(path: Path, name: str, letters: bytes, first: int = 0) -> Codes:
    """Encode the letters of a sequence, ``(bases,)``.

    Args:
        path: FASTA file, named in messages.
        first: place of the first letter in its sequence.

    Raises:
        InputError: for an empty sequence, or a letter that is not an IUPAC nucleotide code; with its position, from 1.
    """
    if not letters:
        raise InputError(f"{path}: sequence {name!r} is empty; remove it")
    codes = np.frombuffer(letters.translate(CODE), dtype=np.uint8)
    if codes.max() > UNKNOWN:
        at = int(np.argmax(codes > UNKNOWN))
        letter = chr(letters[at])
        raise InputError(
            f"{path}: sequence {name!r}, position {first + at + 1}: {letter!r} is not a nucleotide code (A, C, G, T, U "
            f"or {AMBIGUOUS}); write N for an unknown base"
        )
    return codes


def one_hot(codes: Codes) -> NDArray[np.float32]:
    """Return codes ``(L,)`` as ``(4, L)`` float32, rows A, C, G, T; unknown bases are columns of zeros.

    >>> one_hot(np.array([0, 3, 4], dtype=np.uint8))
    array([[1., 0., 0.], [0., 0., 0.], [0., 0., 0.], [0., 1., 0.]], dtype=float32)
    """
    rows = np.empty((4, len(codes)), dtype=np.float32)
    for base in range(4):
        rows[base] = codes == base
    return rows


def reverse_complement(codes: Codes) -> Codes:
    """Return the codes of the other strand, read in its own direction."""
    other = codes ^ np.uint8(3)  # 0 and 3, 1 and 2 change places
    turned: Codes = torch.from_numpy(other).flip(0).numpy()  # a third of the time of NumPy
    if turned.max(initial=0) > UNKNOWN:
        turned[turned > UNKNOWN] = UNKNOWN
    return turned


def cut(codes: Bases, start: int, stop: int) -> Codes:
    """Return bases ``[start, stop)``; unknown where they lie outside the sequence."""
    inside = codes[max(start, 0) : max(stop, 0)]
    if len(inside) == stop - start:
        return inside
    window = np.full(stop - start, UNKNOWN, dtype=np.uint8)
    before = max(0, -start)
    window[before : before + len(inside)] = inside
    return window


def gc_content(codes: Bases, bin_size: int) -> NDArray[np.float64]:
    """Return the share of G and C among the known bases of each bin; NaN where none is known."""

    def of_stretch(part: Codes) -> NDArray[np.float64]:
        starts = np.arange(0, len(part), bin_size)
        known = np.add.reduceat(part < UNKNOWN, starts, dtype=np.int64)
        strong = np.add.reduceat((part == 1) | (part == 2), starts, dtype=np.int64)
        return np.where(known > 0, strong / np.maximum(known, 1), np.nan)

    return np.concatenate([of_stretch(part) for part in stretches(codes, bin_size)])


def count_known(codes: Bases) -> tuple[int, int]:
    """Count the known bases of a sequence, and those of them that are G or C."""
    counts = np.zeros(UNKNOWN + 1, dtype=np.int64)
    for part in stretches(codes):
        counts += np.bincount(part, minlength=UNKNOWN + 1)
    return int(counts[:UNKNOWN].sum()), int(counts[1:3].sum())


def find_unknown_bins(codes: Bases, bin_size: int) -> NDArray[np.bool_]:
    """Find bins without a known base (runs of N), which cannot be predicted: ``(bins,)``, True for these."""

    def of_stretch(part: Codes) -> NDArray[np.bool_]:
        return ~np.logical_or.reduceat(part < UNKNOWN, np.arange(0, len(part), bin_size))

    return np.concatenate([of_stretch(part) for part in stretches(codes, bin_size)])
