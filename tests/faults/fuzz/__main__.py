"""Command of the fuzzer: mutants of all readers, or of those that are named, and a table of what became of them.

Anything else than a result, or an ``InputError`` or ``RunError`` that names the file, is printed with the number that
makes the mutant again (``--only``): a traceback, more than ten seconds, more than two gigabytes, another result than
the second reader's. ``--alone`` prints, too, what the second reader refuses.
"""

from __future__ import annotations

import argparse

from tests.faults.fuzz.readers import READERS
from tests.faults.fuzz.tally import HEAD, Tally
from tests.faults.fuzz.watching import fuzz


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100, help="of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--reader", choices=list(READERS), action="append", help="may be given several times")
    parser.add_argument("--only", type=int, help="number of the one mutant to make")
    parser.add_argument("--alone", action="store_true", help="print what the second reader refuses")
    given = parser.parse_args()
    print(HEAD)
    whole = Tally()
    for name in given.reader or READERS:
        if (lacking := READERS[name].lacks()) is not None:
            print(f"| {name} | {lacking} is not installed |")
            continue
        first, count = (given.first, given.mutants) if given.only is None else (given.only, 1)
        tally = fuzz(name, range(first, first + count), given.alone)
        print(tally.row(name), flush=True)
        for finding in tally.findings:
            print("  ", finding.replace("\n", "\n    "), flush=True)
        whole.add(tally)
    print(whole.row("all"))


if __name__ == "__main__":
    main()
