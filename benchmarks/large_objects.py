"""Are the objects of a large image, found block by block, those of the whole, and how much memory does that take?

Masks of dsb2018_fluo side by side, turned and mirrored at random (seed 0), as a perfect prediction and as one with
noise has them: half of a per cent of the blocks of 3 x 3 pixels are wrong. Each size is a process for the blocks and,
as long as it fits, one for the whole; the system tells their peak resident memory and processor time when they end.
The map of codes and the objects lie in files, mapped into memory by pieces.

    python benchmarks/large_objects.py [--sides 4096 8192 16384] [--whole 8192]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/large_objects.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from multiunet.domains.image.data.instances import encode_objects
from multiunet.domains.image.data.targets import read_objects
from multiunet.domains.image.prediction.object_blocks import BlockObjects, cut_blocks, find_by_block
from multiunet.domains.image.prediction.separate import separate_parts
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "large_objects.json"

PIECE, STRIP, SPOT = 256, 1024, 3
"""Pixels of a side of a piece, of a strip of memory, and of a wrong spot."""

WRONG = 0.005
"""Share of spots that are wrong in a noisy map."""

SPACING = (1.0, 1.0)


def read_pieces() -> list[NDArray[np.uint8]]:
    """Return the codes (see ``encode_parts``) of the upper left piece of each mask that is large enough."""
    pieces = []
    for path in sorted((DATA / "dsb2018_fluo/train/masks").iterdir()):
        objects = read_objects(str(path), None)[:PIECE, :PIECE]
        if objects.shape == (PIECE, PIECE):
            pieces.append(np.choose(encode_objects(objects, "boundary", SPACING), (0, 2, 1)).astype(np.uint8))
    return pieces


def write_codes(path: Path, side: int, wrong: float) -> None:
    """Write a map of pieces drawn at random, strip by strip."""
    rng, pieces = np.random.default_rng(0), read_pieces()
    codes = open_memmap(path, mode="w+", dtype=np.uint8, shape=(side, side))
    for y in range(0, side, PIECE):
        for x in range(0, side, PIECE):
            piece = np.rot90(pieces[rng.integers(len(pieces))], rng.integers(4))
            codes[y : y + PIECE, x : x + PIECE] = piece[:, :: rng.choice([-1, 1])]
        row = codes[y : y + PIECE]
        spots = rng.random((-(-PIECE // SPOT), -(-side // SPOT))) < wrong
        struck = spots.repeat(SPOT, 0).repeat(SPOT, 1)[:PIECE, :side]
        row[struck] = 2 - row[struck]
    codes.flush()


def find(codes_path: Path, out: Path, by_block: bool) -> None:
    """Find the objects of a map and write them."""
    codes: Any = np.load(codes_path, mmap_mode="r")
    objects = open_memmap(out, mode="w+", dtype=np.int32, shape=codes.shape)
    if not by_block:
        objects[:] = separate_parts(np.asarray(codes), SPACING)
        objects.flush()
        return
    blocks, found = cut_blocks(codes.shape), BlockObjects(codes.shape, SPACING)

    def read(region: tuple[slice, ...]) -> NDArray[np.uint8]:
        return np.array(np.load(codes_path, mmap_mode="r")[region])

    for core, numbers in find_by_block(read, blocks, found):
        write(out, core, numbers)
    final = found.numbers()
    for block in blocks:
        write(out, block.core, final[np.load(out, mmap_mode="r")[block.core]])


def write(out: Path, region: tuple[slice, ...], values: NDArray[np.int32]) -> None:
    """Write a region; what is mapped does not stay in memory."""
    mapped = np.load(out, mmap_mode="r+")
    mapped[region] = values
    mapped.flush()


def watch(*words: str) -> dict[str, float]:
    """Run this script's part in a process; return its processor time and peak memory."""
    child = subprocess.Popen([sys.executable, __file__, *words], env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{words}: ended with {child.returncode}")
    return {"cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1), "peak_resident_mib": usage.ru_maxrss >> 10}


def compare(one: Path, other: Path) -> dict[str, int]:
    """Return the pixels at which two maps of objects differ: with their numbers, and whatever these are.

    Of the first map, each object is that of the second which most of its pixels have.
    """
    a, b = np.load(one, mmap_mode="r"), np.load(other, mmap_mode="r")
    pairs, different = Counter[tuple[int, int]](), 0
    for y in range(0, len(a), STRIP):
        first, second = np.array(a[y : y + STRIP]), np.array(b[y : y + STRIP])
        different += int((first != second).sum())
        both, count = np.unique(first.astype(np.int64) << 32 | second, return_counts=True)
        pairs.update({(int(key >> 32), int(key & 0xFFFFFFFF)): int(n) for key, n in zip(both, count)})
    best: dict[int, int] = {}
    for (number, _), count in pairs.items():
        best[number] = max(best.get(number, 0), count)
    return {"pixels_that_differ": different, "whatever_their_numbers": len(a) ** 2 - sum(best.values())}


def measure(folder: Path, side: int, wrong: float, whole: bool) -> dict[str, Any]:
    """Find the objects of a map by block and, where it fits, at once."""
    codes, blocks, once = folder / "codes.npy", folder / "blocks.npy", folder / "once.npy"
    write_codes(codes, side, wrong)
    row: dict[str, Any] = {"blocks": watch("--find", str(codes), str(blocks), "blocks")}
    found = np.load(blocks, mmap_mode="r")
    row["objects"] = max(int(found[y : y + STRIP].max()) for y in range(0, side, STRIP))
    if whole:
        row["whole"] = watch("--find", str(codes), str(once), "whole")
        row |= compare(blocks, once)
    return row


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    parser.add_argument("--whole", type=int, default=8192, help="largest side of an image of which the whole fits")
    parser.add_argument("--find", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.find:
        codes, out, how = given.find
        find(Path(codes), Path(out), how == "blocks")
        return
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"perfect": {}, "noisy": {}}
    found["environment"] = environment()
    with tempfile.TemporaryDirectory() as folder:
        for side in given.sides:
            for name, wrong in (("perfect", 0.0), ("noisy", WRONG)):
                found[name][str(side)] = measure(Path(folder), side, wrong, side <= given.whole)
                print(name, side, json.dumps(found[name][str(side)]), flush=True)
                RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
