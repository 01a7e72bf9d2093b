"""Plain, gzip and bgzip files as streams of bytes that are whole or refused."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from multiunet.domains.reading import reading
from multiunet.errors import InputError

GZIP = b"\x1f\x8b"
BGZIP_FIELD = b"BC\x02\x00"
"""Bytes 12 to 15 of a bgzip file: the extra field of its first block (SAM specification, section 4.1)."""

BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""Empty block that ends a bgzip file (SAM specification, section 4.1.2)."""


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading; gzip and bgzip are known by their first bytes and unpacked.

    Raises:
        InputError: when there is no such file, or when the end-of-file block of bgzip is missing: every block of such a
            file is whole in itself, so that nothing else shows that some were cut off.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    file = path.open("rb")
    head = file.read(16)
    if not head.startswith(GZIP):
        file.seek(0)
        return file
    if head[12:] == BGZIP_FIELD:
        file.seek(-min(len(BGZIP_END), path.stat().st_size), 2)
        if file.read() != BGZIP_END:
            file.close()
            raise InputError(f"{path}: cut short: the end-of-file block of bgzip is missing; copy or compress it again")
    file.close()
    return cast(BinaryIO, gzip.open(path, "rb"))


def is_packed(path: Path) -> bool:
    """Return whether a file begins like gzip or bgzip."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def iter_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line, without its end.

    Raises:
        InputError: as ``open_unpacked`` does, and when a line cannot be unpacked, or is not UTF-8.
    """
    with io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig") as file:
        lines = iter(enumerate(file, start=1))
        while True:
            with reading(path):
                number, line = next(lines, (0, ""))
            if not number:
                return
            yield number, line.rstrip("\n")
