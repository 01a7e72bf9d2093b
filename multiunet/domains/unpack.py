"""Plain, gzip and bgzip files as streams of bytes that are whole or refused."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from multiunet.domains.expansion import DEFLATE_MOST, LARGE, MOST_TIMES, check_expansion
from multiunet.domains.reading import reading
from multiunet.errors import InputError

PIECE = 1 << 18
"""Bytes that are unpacked at once."""

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
    _check_stated(path)
    return cast(BinaryIO, io.BufferedReader(_Unpacked(path), PIECE))


def _check_stated(path: Path) -> None:
    """Check the size that the end of a gzip file states, of one of a single member, modulo 4 GB."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        stated = int.from_bytes(file.read(4), "little")
    if stated <= DEFLATE_MOST * size:  # else it is cut short
        check_expansion(path, size, stated, "as its end says, it", MOST_TIMES)


class _Unpacked(io.RawIOBase):
    """Bytes of a gzip file, which stops where they are far more than real data become."""

    def __init__(self, path: Path) -> None:
        self._path, self._packed = path, path.open("rb")
        self._stream, self._size = gzip.GzipFile(fileobj=self._packed), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        self._size += count
        if self._size > LARGE and self._size > MOST_TIMES * self._packed.tell():
            check_expansion(self._path, self._packed.tell(), self._size, "unpacked, it", MOST_TIMES)
        return count

    def close(self) -> None:
        self._stream.close()
        self._packed.close()
        super().close()


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
