"""Entry point of the ``multiunet`` command; imports nothing large."""

from __future__ import annotations

import os
import sys

SMALL_CACHES = "glibc.malloc.tcache_count"

ON_PAGES = "THP_MEM_ALLOC_ENABLE"
"""Makes torch begin large tensors on a page, not on any 64 bytes: what glibc cuts off before and behind them is then
large enough, joined with the hole of one that is freed, for the next of its size."""


def main() -> None:
    """Run the ``multiunet`` command."""
    try:
        if sys.platform == "linux":
            os.environ.setdefault(ON_PAGES, "1")
            without_small_caches()
        from multiunet_cli.application import application

        application()()
    except KeyboardInterrupt:  # while it imports, or reads its options; a command has its own words
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)


def without_small_caches() -> None:
    """Restart the process without glibc's cache of small blocks, unless the environment sets its size.

    glibc reads these rules before a program's first line. What aligning a large block cuts off beside it would go into
    these caches and then to others, and once the block is free again, the next one of its size would not fit into the
    hole: a training step's peak is a tenth to a third higher with them (``benchmarks/memory.py``).
    """
    rules = os.environ.get("GLIBC_TUNABLES", "")
    if SMALL_CACHES in rules or not sys.executable:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [rules, f"{SMALL_CACHES}=0"]))
    os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    main()
