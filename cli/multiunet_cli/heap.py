"""Settings of glibc's memory allocator that suit large tensors.

They hold for a whole process, hence for the command line only. Without glibc nothing is done.
"""

from __future__ import annotations

import ctypes
import functools
import platform

from multiunet.domains.spec import DomainSpec

SMALL = (*(size - 8 for size in range(32, 129, 16)), 240, 496, 1000, 2000, 3000, 3900)
"""Bytes of small blocks, up to what aligning a tensor to a page leaves over."""

ASIDE = (
    *((size, 4000 if size < 128 else 300) for size in SMALL),
    *((1 << 16, 16), (1 << 18, 16), (1 << 20, 16), (1 << 22, 4), (1 << 24, 4)),
)
"""Bytes of the free blocks of each size, and how many: a step's graph holds thousands of small ones, what libraries
make for themselves at the first step (code, scratchpads) has any size."""


def load(spec: DomainSpec) -> None:
    """Import the libraries that the domain computes with, and prepare the heap for them."""
    keep_large_blocks()
    spec.load()
    set_blocks_aside()


def keep_large_blocks() -> None:
    """Make glibc keep freed memory instead of giving it back.

    A network allocates and frees the same large activations at every step; by default glibc maps and unmaps them, and
    the page faults cost up to half the time.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    m_mxfast, m_trim_threshold, m_mmap_max, m_arena_max = 1, -1, -4, -8
    libc = ctypes.CDLL(None)
    # what aligning a block leaves beside it must join it again, or the hole will be too small for the next such block
    libc.mallopt(m_mxfast, 0)
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, -1)
    libc.mallopt(m_arena_max, 1)  # else every thread that reads or writes chunks keeps blocks of its own


@functools.cache  # once is enough, and they stay
def set_blocks_aside() -> None:
    """Set aside free blocks for small requests, which then leave the holes of large tensors alone.

    glibc gives a request the free block that fits best. Once a step's activations are freed, that would be a piece cut
    off an activation's hole, or what aligning it left beside it; the next tensor of that size then no longer fits, and
    the heap grows by it. Blocks set aside fit better. They lie between blocks that stay taken, or they would join each
    other.

    To be called when all is imported, which would use them up; takes some 12 MB and 0.1 s. What it saves:
    ``benchmarks/memory.py``.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    allocate, free = libc.malloc, libc.free
    allocate.restype, allocate.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    for size, count in ASIDE:
        blocks = [allocate(size) for _ in range(2 * count)]
        for block in blocks[::2]:
            free(block)
