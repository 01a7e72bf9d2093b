from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, json, os, sys
from multiunet_cli.heap import keep_large_blocks, set_blocks_aside

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Counts
libc.posix_memalign.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]

def large():
    place = ctypes.c_void_p()
    assert libc.posix_memalign(ctypes.byref(place), 64, 1 << 26) == 0
    return place

keep_large_blocks()
if sys.argv[1] == "aside":
    set_blocks_aside()
before = libc.mallinfo2().arena
held = [large(), large(), large()]
for _ in range(10):  # a large block goes, small ones and one of some size come and stay, and a large one comes
    libc.free(held.pop(0))
    small = [libc.malloc(size) for size in (24, 40, 56, 72, 88, 30_000) for _ in range(100)][-1]
    held.append(large())
print(json.dumps((libc.mallinfo2().arena - before) / (1 << 26)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's heap")
def test_large_blocks_come_back_into_their_holes() -> None:
    def grown(how: str) -> float:
        rules = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
        words = [sys.executable, "-c", PROGRAM, how]
        done = subprocess.run(words, env=rules, check=True, capture_output=True, text=True, timeout=60)
        return float(json.loads(done.stdout))

    assert grown("aside") < 4.5
    assert grown("as it is") > 6
