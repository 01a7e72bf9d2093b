"""Time the separation of objects, and the look whether training objects can be separated.

Two answers, each in seconds of one process's CPU time, taken in one run and after each other: with scikit-image's
``h_maxima``, as before, and with ``find_tops``, which must find the same objects, pixel by pixel.

- an image of 2048 x 2048: masks of dsb2018_fluo side by side, each cut to 256 x 256;
- 34 volumes of 32 x 64 x 64: pieces of plantseg_ovule (seed 0), looked at as ``plan image --instances`` does.

    python benchmarks/object_speed.py

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/object_speed.json.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import h_maxima

from multiunet.domains.image.data.instances import count_objects, encode_objects, renumber
from multiunet.domains.image.data.targets import read_objects
from multiunet.domains.image.prediction import separate
from multiunet.domains.image.survey.separability import Separability
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "object_speed.json"

SIDE, PIECE = 2048, 256
VOLUMES, SPACE, SPACING = 34, (32, 64, 64), (0.235, 0.15, 0.15)


def find_by_reconstruction(image: NDArray[np.float64], height: float, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the same maxima with scikit-image."""
    return np.asarray(h_maxima(image, height), dtype=bool) & inside


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Run work; return its CPU seconds and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def both(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Run work both ways; return the seconds, their ratio, and both results."""
    with patch.object(separate, "find_tops", find_by_reconstruction):
        before, expected = timed(work)
    now, found = timed(work)
    return {"h_maxima": round(before, 2), "find_tops": round(now, 2), "ratio": round(before / now, 1)}, (
        expected,
        found,
    )


def make_mosaic() -> NDArray[np.uint8]:
    """Return the parts (see ``encode_parts``) that a perfect prediction of the masks side by side has."""
    objects, last = np.zeros((SIDE, SIDE), dtype=np.int32), 0
    masks = sorted((DATA / "dsb2018_fluo/train/masks").iterdir())
    corners = np.ndindex(SIDE // PIECE, SIDE // PIECE)
    for corner, path in zip(corners, masks * (1 + SIDE * SIDE // PIECE**2 // len(masks))):
        piece = read_objects(str(path), None)[:PIECE, :PIECE]
        place = tuple(slice(PIECE * at, PIECE * at + side) for at, side in zip(corner, piece.shape))
        objects[place] = np.where(piece > 0, piece + last, 0)
        last = int(objects.max())
    classes = encode_objects(objects, "boundary", (1.0, 1.0))
    return np.choose(classes, (0, 2, 1)).astype(np.uint8)


def make_volumes() -> list[NDArray[np.int32]]:
    """Return pieces of the labelled volume, drawn with seed 0."""
    rng = np.random.default_rng(0)
    with h5py.File(DATA / "plantseg_ovule/sample_ovule.h5") as file:
        labels = file["label"][...]
    starts = [[int(rng.integers(n - side + 1)) for n, side in zip(labels.shape, SPACE)] for _ in range(VOLUMES)]
    pieces = [labels[tuple(slice(a, a + side) for a, side in zip(start, SPACE))] for start in starts]
    return [renumber(piece, None) for piece in pieces]


def look(volumes: Sequence[NDArray[np.int32]]) -> tuple[int, int]:
    """Look at volumes as the plan does; return objects looked at, and those that can be given back."""
    found = Separability()
    for volume in volumes:
        found.add(volume, encode_objects(volume, "boundary", SPACING))
        count_objects(volume)
    counts = found.count("boundary", SPACING)
    return counts.looked_at, counts.separable


def main() -> None:
    """Time both, check that they agree, and write the seconds."""
    mosaic, volumes = make_mosaic(), make_volumes()
    of_image, (expected, found) = both(lambda: separate.separate_parts(mosaic, (1.0, 1.0)))
    assert np.array_equal(expected, found), "other objects"
    of_volumes, (expected_counts, counts) = both(lambda: look(volumes))
    assert expected_counts == counts, "other counts"
    rows = {
        f"objects of an image of {SIDE} x {SIDE}": {**of_image, "objects": int(found.max())},
        f"look at {VOLUMES} volumes": {**of_volumes, "looked_at": counts[0], "separable": counts[1]},
    }
    RESULTS.write_text(json.dumps({"environment": environment(), "cpu_seconds": rows}, indent=2) + "\n")
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
