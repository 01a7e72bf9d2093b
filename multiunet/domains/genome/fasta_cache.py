"""Cache of what was made of FASTA files: indexes, and the bases of large packed files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from multiunet.domains.genome.sequence import Codes
from multiunet.files import write_atomically, write_text

FEWEST = 1 << 25
"""Bases of the smallest file that is kept: smaller ones are unpacked as fast as they are found."""


def cached_place(path: Path, ending: str) -> Path | None:
    """Return the place of what was made of a file, which is another one after every change of the file.

    It lies in ``multiunet/fasta`` in ``XDG_CACHE_HOME`` or ``~/.cache``; None for a user without a home.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multiunet" / "fasta"
    except RuntimeError:
        return None
    state = path.stat()
    return folder / f"{_hash(str(path.resolve()))}-{_hash(f'{state.st_size} {state.st_mtime_ns}')}{ending}"


def keep_text(place: Path | None, text: str) -> None:
    """Keep a text; without a cache that can be written it is made again next time."""
    if place is not None:
        with suppress(OSError):
            _make_room(place)
            write_text(place, text)


def keep_codes(path: Path, sequences: Iterable[tuple[str, Iterable[Codes]]]) -> None:
    """Keep the bases of a large file, one byte each, for ``load_codes``; without a cache nothing is kept.

    Args:
        sequences: all of the file by name, each in stretches, checked.
    """
    place, lengths = cached_place(path, ".codes"), dict[str, int]()
    if place is None:
        return

    def write(part: Path) -> None:
        with part.open("wb") as file:
            for name, stretches in sequences:
                lengths[name] = 0
                for stretch in stretches:
                    stretch.tofile(file)
                    lengths[name] += len(stretch)

    with suppress(OSError):
        _make_room(place)
        write_atomically(place, write)
        write_text(place.with_suffix(".json"), json.dumps(lengths))


def load_codes(path: Path) -> dict[str, Codes] | None:
    """Return the bases of a file that were kept, mapped from disk; None where they were not."""
    place = cached_place(path, ".codes")
    if place is None:
        return None
    try:
        lengths: dict[str, int] = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
        if place.stat().st_size != sum(lengths.values()):
            return None
        # each by itself, so that it knows its place in the file; see ``bases``
        ends = np.cumsum(list(lengths.values())).tolist()
        return {
            name: np.memmap(place, dtype=np.uint8, mode="r", offset=end - length, shape=(length,))
            for (name, length), end in zip(lengths.items(), ends)
        }
    except (OSError, ValueError):
        return None


def _make_room(place: Path) -> None:
    """Make the folder, and remove what was made of earlier states of the same file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.glob(f"{place.stem.partition('-')[0]}-*"):
        if old.stem != place.stem:
            old.unlink(missing_ok=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
