from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from multiunet_cli.__main__ import without_small_caches
without_small_caches()
print(os.environ["GLIBC_TUNABLES"], *sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's rules are read on Linux")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "glibc.malloc.tcache_count=0"),
        ("glibc.malloc.perturb=3", "glibc.malloc.perturb=3:glibc.malloc.tcache_count=0"),
        ("glibc.malloc.tcache_count=2", "glibc.malloc.tcache_count=2"),
    ],
)
def test_the_command_begins_with_rules_for_small_blocks(before: str | None, after: str) -> None:
    rules = {} if before is None else {"GLIBC_TUNABLES": before}
    rest = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    words = [sys.executable, "-c", PROGRAM, "a word", "--b"]
    done = subprocess.run(words, env={**rest, **rules}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == f"{after} a word --b"


PAGES = """
import os
from multiunet_cli import __main__, application
__main__.without_small_caches = lambda: None
application.application = lambda: lambda: print(os.environ["THP_MEM_ALLOC_ENABLE"])
__main__.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="for glibc's heap")
@pytest.mark.parametrize("before", [None, "0"])
def test_large_tensors_begin_on_pages_unless_told(before: str | None) -> None:
    rest = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    told = {} if before is None else {"THP_MEM_ALLOC_ENABLE": before}
    words = [sys.executable, "-c", PAGES]
    done = subprocess.run(words, env={**rest, **told}, capture_output=True, text=True, timeout=60)
    assert done.stdout == (before or "1") + "\n", done.stderr
