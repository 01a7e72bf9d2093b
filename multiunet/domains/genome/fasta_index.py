"""Plain FASTA files opened by an index (pyfaidx): one chromosome is read without the others."""

from __future__ import annotations

import mmap
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pyfaidx import Faidx

from multiunet.domains.genome import fasta_cache
from multiunet.domains.genome.bases import Bases, ReadBases, stretches
from multiunet.domains.genome.fasta_cache import cached_place, keep_codes, keep_text, load_codes
from multiunet.domains.genome.sequence import Codes, OpenedCodes, encode
from multiunet.domains.reading import reading
from multiunet.errors import InputError

PIECE = 1 << 24
"""Bases that are decoded at once."""


@dataclass(frozen=True)
class IndexedFasta:
    """An open file with its index.

    Attributes:
        lengths: bases by name.
    """

    path: Path
    faidx: Faidx
    lengths: dict[str, int]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Codes:
        """Read a stretch of a sequence, ``(bases,)``; by default all of it.

        Raises:
            InputError: when it holds letters that are not nucleotide codes.
        """
        stop = self.lengths[name] if stop is None else stop
        codes = np.empty(stop - start, dtype=np.uint8)
        for first in range(start, stop, PIECE):
            last = min(first + PIECE, stop)
            with reading(self.path):
                letters: str = self.faidx.fetch(name, first + 1, last)
            if len(letters) != last - first:  # pyfaidx drops carriage returns, but counts those within lines
                raise InputError(
                    f"{self.path}: sequence {name!r} mixes line ends: some lines end with a bare carriage return; "
                    "convert all to line feeds, for example with mac2unix"
                )
            found = encode(self.path, name, letters.encode("latin-1", "replace"), first)
            codes[first - start : last - start] = found
        return codes

    def open(self, name: str) -> Bases:
        """Return a sequence that is read by stretches."""
        return ReadBases(self.lengths[name], partial(self.read, name))


class IndexedCodes(OpenedCodes):
    """Codes by name, read at each look-up."""

    def __init__(self, fasta: IndexedFasta, names: Mapping[str, str]) -> None:
        """``names``: in the file, by those that are looked up."""
        self._fasta, self._names = fasta, dict(names)

    def __getitem__(self, name: str) -> Codes:
        return self._fasta.read(self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def open(self, name: str) -> Bases:
        return self._fasta.open(self._names[name])

    def keep(self) -> Mapping[str, Codes]:
        path, lengths = self._fasta.path, self._fasta.lengths
        if sum(lengths.values()) < fasta_cache.FEWEST:
            return self
        kept = load_codes(path)
        if kept is None:
            keep_codes(path, ((name, stretches(self._fasta.open(name))) for name in lengths))
            kept = load_codes(path)
        return self if kept is None else {new: kept[old] for new, old in self._names.items()}


def open_indexed(path: Path) -> IndexedFasta | None:
    """Open a plain FASTA file by the index beside it (``NAME.fai``), else by one that is built once.

    An index that is built is kept in the cache (``fasta_cache``); nothing is written beside the file. One that does not
    fit the file is not used.

    Returns:
        None for a file that cannot be indexed: lines of unequal length, a sequence without bases, a name twice, line
        ends other than LF or CR LF, and all that is not FASTA.
    """
    if not path.stat().st_size:
        return None
    beside = path.with_name(path.name + ".fai")
    if beside.is_file() and (found := _load(path, beside)) is not None:
        return found
    kept = cached_place(path, ".fai")
    if kept is not None and kept.is_file() and (found := _load(path, kept)) is not None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "built.fai"
        found = _load(path, built, build=True)
        if found is not None:
            keep_text(kept, built.read_text(encoding="utf-8"))
    return found


def _load(path: Path, index: Path, build: bool = False) -> IndexedFasta | None:
    try:
        with warnings.catch_warnings():
            # an index that is older by the clock, which may have been set back; whether it fits is looked at below
            warnings.filterwarnings("ignore", "Index file", RuntimeWarning)
            faidx = Faidx(str(path), indexname=str(index), as_raw=True, rebuild=build, build_index=build)
    except Exception:  # of many kinds; the reader of whole files says what is wrong
        return None
    lengths = {name: record.rlen for name, record in faidx.index.items()}
    if not lengths or min(lengths.values()) == 0 or not _fits(path, faidx):
        faidx.close()
        return None
    return IndexedFasta(path, faidx, lengths)


def _fits(path: Path, faidx: Faidx) -> bool:
    """Return whether between the sequences of an index the file has their headers, each on one line, and no more."""
    end = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, record in faidx.index.items():
            header = content[end : record.offset].strip(b"\r\n")
            if not header.startswith(b">") or b"\r" in header or b"\n" in header:
                return False
            if header[1:].split()[:1] != [name.encode()]:
                return False
            full, rest = divmod(record.rlen, record.lenc)
            end = record.offset + full * record.lenb + rest
        return not content[end:].strip()
