"""How long do a graph's tables take to read, and how much memory?

``nodes.csv`` and ``edges.csv`` of random graphs with five edges a node. Ids are words; nodes have two columns of
numbers, one of words, labels, and a split with gaps; edges a weight and a kind. Each reading is a process of its own.
Linux alone.

    python benchmarks/graph_tables.py [--edges 1000000,3000000] [--code DIR]

``--code`` reads with the checkout in another folder, to compare. Writes benchmarks/results/graph_tables.json, under the
name that ``--as`` gives.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "graph_tables.json"

READ = """
import json, sys, time
from pathlib import Path
import pandas, torch
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.tables import Columns

def peak():
    text = Path("/proc/self/status").read_text()  # of this program alone; getrusage has that of its parent
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024

before, started, clock = peak(), time.process_time(), time.monotonic()
graph = read_graph(Path(sys.argv[1]), Columns(edges=None))
print(json.dumps({
    "edges": graph.edges.shape[1],
    "cpu_seconds": round(time.process_time() - started, 2),
    "seconds": round(time.monotonic() - clock, 2),
    "mib_above_the_imports": round(peak() - before),
}))
"""


def write_tables(folder: Path, edges: int) -> None:
    """Write a random graph with a fifth as many nodes."""
    import pandas

    rng = np.random.default_rng(0)
    nodes = edges // 5
    ids = np.array([f"node-{number:08d}" for number in rng.permutation(nodes)])
    columns: dict[str, Any] = {
        "id": ids,
        "height": rng.normal(size=nodes).round(4),
        "count": rng.integers(0, 50, nodes),
        "kind": rng.choice(["root", "leaf", "stem"], nodes),
        "label": rng.choice(["a", "b", "c"], nodes),
        "split": rng.choice(["train", "val", "test", ""], nodes),
    }
    pandas.DataFrame(columns).to_csv(folder / "nodes.csv", index=False)
    ends = {name: ids[rng.integers(0, nodes, edges)] for name in ("source", "target")}
    more = {"weight": (rng.random(edges) + 0.1).round(4), "kind": rng.choice(["road", "rail", ""], edges)}
    pandas.DataFrame(ends | more).to_csv(folder / "edges.csv", index=False)


def measure(folder: Path, code: Path) -> dict[str, Any]:
    """Read the tables in a process of its own."""
    paths = os.pathsep.join(map(str, (code, code / "cli", code / "datasets")))
    found = subprocess.run(
        [sys.executable, "-c", READ, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    size = sum(file.stat().st_size for file in folder.iterdir())
    result: dict[str, Any] = json.loads(found.stdout) | {"mib_of_text": round(size / 2**20)}
    return result


def main() -> None:
    """Measure each size, and keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--edges", default="1000000,3000000")
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--as", dest="name", default="now")
    options = parser.parse_args()
    rows = []
    for edges in map(int, options.edges.split(",")):
        with tempfile.TemporaryDirectory() as place:
            write_tables(Path(place), edges)
            rows.append(measure(Path(place), options.code))
            print(rows[-1], flush=True)
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(known | {options.name: rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
