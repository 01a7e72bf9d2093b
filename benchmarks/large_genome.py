"""Does a genome of any size take the same memory, and time that grows with its bases?

The default network of a genome, trained for a step on random data (what it predicts does not matter), predicts random
chromosomes of 50 megabases from the command line, 4 Monte-Carlo samples, one thread, a process each. All sizes have one
limit of memory. The bases of a genome of this size are mapped from a file: they are resident as long as nothing else
wants the memory. So the peak of the process's own memory is given, too, looked at ten times a second.

    python benchmarks/large_genome.py [--megabases 100 300 1000] [--memory 2GB]

Writes benchmarks/results/large_genome.json after each size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from costs import COMMAND, SHORT, run, train_genome

from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "large_genome.json"
CHROMOSOME, LINE = 50_000_000, 80


def write_genome(path: Path, megabases: int) -> None:
    """Write random chromosomes."""
    rng, letters = np.random.default_rng(0), np.frombuffer(b"ACGT", np.uint8)
    with path.open("wb") as file:
        for number in range(megabases * 1_000_000 // CHROMOSOME):
            file.write(b">chr%d\n" % (number + 1))
            lines = letters[rng.integers(0, 4, (CHROMOSOME // LINE, LINE), dtype=np.uint8)]
            file.write(np.insert(lines, LINE, ord("\n"), axis=1).tobytes())


def measure(folder: Path, megabases: int, memory: str) -> dict[str, Any]:
    """Predict a genome of this size; return seconds, memory and bytes on disk."""
    fasta, out = folder / "new.fa", folder / "p.zarr"
    write_genome(fasta, megabases)
    data = ["--fasta", str(fasta), "--out", str(out), "--memory", memory]
    used = watch(["predict", "genome", "--run", str(folder / "run"), *data, "--samples", "4", "--device", "cpu"])
    disk = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    shutil.rmtree(out)
    for path in folder.glob("new.fa*"):
        path.unlink()
    return {**used, "disk": disk}


def watch(words: list[str]) -> dict[str, float]:
    """Run a command; return its processor time, and its peak memory in all and without what is mapped from files."""
    child = subprocess.Popen([*COMMAND, *words], env={**os.environ, "OMP_NUM_THREADS": "1"})
    seen, own, ended = psutil.Process(child.pid), 0, 0
    while not ended:
        time.sleep(0.1)
        memory = seen.memory_info()
        own = max(own, memory.rss - memory.shared)
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{words}: ended with {child.returncode}")
    cpu = round(usage.ru_utime + usage.ru_stime, 1)
    return {"cpu_seconds": cpu, "peak_own_mib": own >> 20, "peak_resident_mib": usage.ru_maxrss >> 10}


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabases", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--memory", default="2GB")
    given = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"megabases": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("train", "genome", *train_genome(folder), *SHORT, "--out", str(folder / "run"))
        for megabases in given.megabases:
            row = measure(folder, megabases, given.memory)
            print(megabases, row, flush=True)
            found["megabases"][str(megabases)] = row
            text = json.dumps(found | {"memory": given.memory, "environment": environment()}, indent=2)
            RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
