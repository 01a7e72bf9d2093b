"""Limits to what packed data may become: what no packing reaches, and what real data do not."""

from __future__ import annotations

from pathlib import Path

from multiunet.errors import InputError
from multiunet.memory import amount, free_memory

DEFLATE_MOST = 1032
"""Most bytes that one byte of gzip, zlib, zip or PNG becomes (a match of 258 bytes in two bits)."""

LARGE = 1 << 26
"""Bytes below which nobody is hurt by what data become."""

MOST_TIMES = 200
"""Times its packed size that a large sequence or table may have; real ones have 3 to 60."""

MOST_TIMES_OF_ARRAYS = 900
"""Times its packed size that a large array may have; one in which 0.4 % of the numbers are not 0 has some 500."""

LEFT_OVER = "save it as a table or arrays of fewer numbers, or use a machine with more memory"


def check_promise(path: Path, what: str, stored: int, promised: int, most: int = DEFLATE_MOST) -> None:
    """Check that stored bytes can become as many as a header promises.

    Args:
        what: that makes the promise, in words.
        most: times that the packing can reach.

    Raises:
        InputError: naming both sizes.
    """
    if promised > most * (stored + 1024):
        raise InputError(
            f"{path}: damaged, or made to do harm: {what} takes {amount(promised)}, but only {amount(stored)} are "
            f"stored, which can become {amount(most * stored)} at most; copy or export it again"
        )


def check_expansion(path: Path, packed: int, unpacked: int, what: str, most: int) -> None:
    """Check that what packed data become fits into memory, and is not beyond what real data do.

    Args:
        unpacked: bytes that they become, or have become so far.
        most: times their size that real data become.

    Raises:
        InputError: naming both sizes and the fix.
    """
    if unpacked > LARGE and unpacked > most * packed:
        raise InputError(
            f"{path}: {what} takes {amount(unpacked)} or more, over {most} times its packed {amount(packed)}, as "
            "files made to fill the memory do and no real data; if it is real, give it unpacked"
        )
    check_room(path, unpacked, what)


def check_room(path: Path, needed: int, what: str, fix: str = LEFT_OVER) -> None:
    """Check that no more bytes are needed than are free.

    Raises:
        InputError: naming the size and the fix.
    """
    if needed > (free := free_memory()):
        raise InputError(f"{path}: {what} takes {amount(needed)} of memory, but {amount(free)} are free; {fix}")
