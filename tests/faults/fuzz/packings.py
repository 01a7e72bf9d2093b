"""Packed files whose contents are changed and packed again, with checksums that are right."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

Mutate = Callable[[bytes, random.Random], bytes]

PNG = b"\x89PNG\r\n\x1a\n"


def change_gzip(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    try:
        return gzip.compress(mutate(gzip.decompress(data), rng), 6, mtime=0)
    except (OSError, EOFError, zlib.error):
        return data


def change_zip(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """Change one member, or the name of one."""
    content = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(content, "w") as new:
            chosen = rng.choice(old.infolist())
            for entry in old.infolist():
                inside, name = old.read(entry), entry.filename
                if entry is chosen and rng.random() < 0.1:
                    name = mutate(name.encode(), rng).decode("latin-1").replace("\0", "_")
                elif entry is chosen:
                    inside = mutate(inside, rng)
                new.writestr(zipfile.ZipInfo(name), inside, entry.compress_type)
    except (zipfile.BadZipFile, zlib.error, IndexError, EOFError, ValueError):
        return data
    return content.getvalue()


def change_png(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """Change the content of one chunk, of pixels packed or unpacked."""
    chunks, at = [], len(PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    chosen = rng.randrange(len(chunks)) if chunks else 0
    body = b""
    for place, (name, content) in enumerate(chunks):
        if place == chosen and name == b"IDAT" and rng.random() < 0.5:
            try:
                content = zlib.compress(mutate(zlib.decompress(content), rng))
            except zlib.error:
                content = mutate(content, rng)
        elif place == chosen:
            content = mutate(content, rng)
        body += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return PNG + body


PACKINGS = ((b"\x1f\x8b", change_gzip), (b"PK\3\4", change_zip), (PNG, change_png))
"""First bytes of packed files, and what changes their contents."""
