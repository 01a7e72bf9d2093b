"""Zarr folders from strangers: what is read lies in them, and becomes no more than its place holds."""

from __future__ import annotations

import asyncio
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore

from multiunet.domains.expansion import DEFLATE_MOST, LARGE
from multiunet.errors import InputError

META = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")

LONGEST_META = 1 << 26
"""Bytes of a description of an array or group, at most."""

SLACK = 1 << 16
"""Bytes that codecs and their checksums may add to a part."""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class GuardedStore(LocalStore):
    """Zarr folder that is only read, and refuses what strangers' files use to do harm.

    Links that lead out of it would show any file of the machine as pixels. A stored part that becomes far more than its
    place holds would fill the memory.

    Args:
        place: the folder, as errors name it.

    Raises:
        InputError: on reading, naming the part.
    """

    def __init__(self, root: Path, place: Path) -> None:
        super().__init__(root, read_only=True)
        self._place, self._real = place, Path(os.path.realpath(root))
        self._limits: dict[str, tuple[str, int]] = {}
        self._known: set[tuple[str, object]] = set()

    def limit(self, array: Any) -> None:
        """Take note of what a part of an array becomes at most, and how it is packed.

        Raises:
            InputError: for a codec that would run code of the file.
        """
        codecs = [*array.filters, *array.compressors]
        names = [str(getattr(codec, "codec_id", type(codec).__name__)).lower() for codec in codecs]
        if unsafe := [name for name in names if "pickle" in name]:
            raise InputError(
                f"{self._place}: is packed with {unsafe[0]}, which can run any code; save it with another codec"
            )
        size = math.prod(array.chunks) * array.dtype.itemsize + SLACK
        # of several chunks in one file, and its index, only some packings can be told
        known = [kind for kind in WALKS if array.shards is None or kind in SELF_EVIDENT]
        packing = next((kind for kind in known if names and kind in names[-1]), "")
        self._limits[array.path] = packing, size

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return the bytes of a part, once it is known to be harmless.

        Raises:
            InputError: for a link out of the folder, or a part that becomes too much.
        """
        file = self.root / key
        if not await asyncio.to_thread(self._is_inside, file):
            raise InputError(
                f"{self._place}: {key} is a link to {os.path.realpath(file)}, outside of the folder, which is not "
                "read, as that may be any file of this machine; copy the folder with what its links lead to (cp -rL)"
            )
        if key.endswith(META) and byte_range is None and file.is_file() and file.stat().st_size > LONGEST_META:
            raise InputError(f"{self._place}: {key} has {file.stat().st_size:,} bytes, which no description has")
        value = await super().get(key, prototype, byte_range)
        if value is not None and not key.endswith(META) and (key, byte_range) not in self._known:
            await asyncio.to_thread(self._check_size, key, value.to_bytes())
            self._known.add((key, byte_range))
        return value

    def _is_inside(self, file: Path) -> bool:
        return Path(os.path.realpath(file)).is_relative_to(self._real)

    def _check_size(self, key: str, stored: bytes) -> None:
        owner = max((path for path in self._limits if not path or key.startswith(f"{path}/")), key=len, default=None)
        if owner is None:
            return
        packing, size = self._limits[owner]
        if packing and WALKS[packing](stored, size) > size:
            raise InputError(
                f"{self._place}: damaged, or made to do harm: {key} becomes more than the {size - SLACK:,} bytes "
                "of its place; copy or export it again"
            )


def _walk_deflate(stored: bytes, most: int) -> int:
    """Return what zlib or gzip data become, counted to one beyond ``most``."""
    if len(stored) * DEFLATE_MOST <= LARGE:
        return 0
    try:
        return len(zlib.decompressobj(wbits=47).decompress(stored, most + 1))
    except zlib.error:  # the codec itself says what is wrong
        return 0


def _stated_blosc(stored: bytes, most: int) -> int:
    return int.from_bytes(stored[4:8], "little")


def _stated_lz4(stored: bytes, most: int) -> int:
    return int.from_bytes(stored[:4], "little")


def _stated_zstd(stored: bytes, most: int) -> int:
    """Return the size that the first frame states (RFC 8878, 3.1.1.1); of one that states none, what it becomes."""
    if not stored.startswith(ZSTD_MAGIC) or len(stored) < 18:
        return 0
    flags = stored[4]
    single, kind = flags >> 5 & 1, flags >> 6
    width = (single, 2, 4, 8)[kind]
    if not width:
        from imagecodecs import ZstdError, zstd_decode

        try:
            zstd_decode(stored, out=most)
        except ZstdError as error:
            return most + 1 if "too small" in str(error) else 0
        return 0
    place = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    return int.from_bytes(stored[place : place + width], "little") + (256 if width == 2 else 0)


WALKS: dict[str, Callable[[bytes, int], int]] = {
    "zstd": _stated_zstd,
    "blosc": _stated_blosc,
    "lz4": _stated_lz4,
    "gzip": _walk_deflate,
    "zlib": _walk_deflate,
}
"""By a word in the codec's name, what returns how many bytes its data become, or state that they do."""

SELF_EVIDENT = ("zstd", "gzip")
"""Packings whose data begin with bytes of their own."""
