"""Objects that are found block by block are those of the whole map, each with one number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from multiunet.domains.image.data.instances import CLASSES, encode_objects
from multiunet.domains.image.prediction.object_blocks import BlockObjects, cut_blocks, find_by_block
from multiunet.domains.image.prediction.separate import encode_parts, separate_from_seeds, separate_parts

LIMITED = """
import resource
import numpy as np
from multiunet.domains.image.prediction.object_blocks import BlockObjects, cut_blocks, find_by_block
from multiunet.domains.image.prediction.separate import separate_parts

SPACE = (1000, 1000)

def read(region):
    y, x = (np.arange(part.start, part.stop) % 100 for part in region)
    inside = (y[:, None] - 50) ** 2 + (x - 50) ** 2 < 400
    return inside.astype(np.uint8) * 2

read((slice(0, 64), slice(0, 64)))
separate_parts(read((slice(0, 64), slice(0, 64))), (1, 1))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
resource.setrlimit(resource.RLIMIT_DATA, (int(status["VmData"].split()[0]) * 1024 + (60 << 20),) * 2)
objects = BlockObjects(SPACE, (1, 1))
pixels = sum(int((part > 0).sum()) for _, part in find_by_block(read, cut_blocks(SPACE, 250, 50), objects))
print(objects.numbers().max(), pixels)
try:
    separate_parts(read((slice(0, SPACE[0]), slice(0, SPACE[1]))), (1, 1))
except MemoryError:
    print("the whole does not fit")
"""


def by_block(codes: np.ndarray, side: int, halo: int, smallest: int = 5, spacing=None) -> tuple[np.ndarray, int]:
    objects = BlockObjects(codes.shape, spacing or (1.0,) * codes.ndim, smallest)
    found = np.full(codes.shape, -1, np.int32)
    for core, numbers in find_by_block(lambda region: codes[region], cut_blocks(codes.shape, side, halo), objects):
        assert (found[core] == -1).all(), "cores do not overlap"
        found[core] = numbers
    return objects.numbers()[found], objects.cut


def codes_of(objects: np.ndarray, touching: str, noise: float = 0.0) -> np.ndarray:
    """Map of a network that sees these objects, blurred and with errors."""
    classes, rng = encode_objects(objects, touching, (1.0,) * objects.ndim), np.random.default_rng(1)
    wrong = [noise * gaussian_filter(rng.normal(size=objects.shape), 1) for _ in CLASSES[touching]]
    seen = np.stack([gaussian_filter((classes == at).astype(float), 0.7) + w for at, w in enumerate(wrong)])
    seen = seen.clip(1e-6)
    return encode_parts(torch.from_numpy(seen / seen.sum(axis=0))).numpy()


def crowd(shape: tuple[int, ...], radius: float = 8.0) -> np.ndarray:
    """Balls that touch each other, each pixel of the nearest."""
    rng = np.random.default_rng(0)
    step = 1.7 * radius
    grid = np.argwhere(np.ones([int(n / step) for n in shape])) * step + radius
    centres = grid + rng.uniform(-3, 3, grid.shape)
    distance, nearest = cKDTree(centres).query(np.argwhere(np.ones(shape)))
    return np.where(distance < radius, nearest + 1, 0).reshape(shape).astype(np.int32)


@pytest.mark.parametrize("touching", ["gap", "boundary"])
@pytest.mark.parametrize(
    ("shape", "side", "halo"), [((150, 120), 50, 32), ((150, 120), 37, 40), ((24, 40, 40), 20, 20)]
)
def test_crowded_objects_are_those_of_the_whole(shape, side, halo, touching) -> None:
    codes = codes_of(crowd(shape, 8.0 if len(shape) == 2 else 6.0), touching, noise=0.3)
    whole = separate_parts(codes, (1.0,) * len(shape), 5)
    assert whole.max() > 15
    np.testing.assert_array_equal(by_block(codes, side, halo)[0], whole)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (3.0, 1.0)], ids=str)
def test_lone_objects_that_fit_into_the_halo(spacing) -> None:
    rng, objects = np.random.default_rng(2), np.zeros((160, 160), np.uint8)
    for y, x in np.argwhere(np.ones((4, 4))) * 40 + rng.integers(12, 28, (16, 2)):
        objects[y - 5 : y + 5, x - 9 : x + 9] = 2
    whole = separate_parts(objects, spacing, 5)
    found, cut = by_block(objects, 32, 30, spacing=spacing)
    assert whole.max() == 16
    assert cut == 0, "the condition of the docstring holds"
    np.testing.assert_array_equal(found, whole)


def test_numbers_are_in_the_order_of_seeds() -> None:
    codes = codes_of(crowd((60, 60)), "boundary")
    found = separate_from_seeds(codes, (1.0, 1.0), 5)
    assert (np.diff(found.seeds) > 0).all()
    assert len(found.seeds) == found.objects.max()
    np.testing.assert_array_equal(found.objects.ravel()[found.seeds], np.arange(1, len(found.seeds) + 1))


def test_an_object_larger_than_blocks_has_one_number_and_is_counted() -> None:
    y, x = np.ogrid[:160, :160]
    codes = ((y - 70) ** 2 + (x - 80) ** 2 < 60**2).astype(np.uint8) * 2
    found, cut = by_block(codes, 32, 8)
    assert found.max() == 1
    assert cut > 0
    np.testing.assert_array_equal(found > 0, codes > 0)


def test_a_map_without_an_end_is_one_object() -> None:
    found, _ = by_block(np.full((40, 40), 2, np.uint8), 16, 4)
    assert (found == 1).all()


def test_two_objects_that_touch_at_a_border_stay_two() -> None:
    codes = np.full((40, 40), 2, np.uint8)
    codes[:, 19:21] = 1  # the border of blocks of 20 lies between
    found, _ = by_block(codes, 20, 10)
    assert len(np.unique(found)) == 2
    assert (found[:, :19] != found[:, 21:22]).all()


def test_nothing_is_nothing() -> None:
    assert by_block(np.zeros((30, 30), np.uint8), 10, 5) == (pytest.approx(0), 0)


@pytest.mark.realdata
def test_nuclei_across_borders(data_folder: Path) -> None:
    folder = data_folder / "dsb2018_fluo" / "test" / "masks"
    masks = (np.asarray(Image.open(path)).astype(np.int32) for path in sorted(folder.iterdir()))
    four = [mask[:256, :256] for mask in masks if min(mask.shape) >= 256][:4]
    apart = [np.where(mask > 0, mask + 1000 * at, 0) for at, mask in enumerate(four)]
    mosaic = np.block([apart[:2], apart[2:]])
    for touching in ("gap", "boundary"):
        codes = codes_of(mosaic, touching, noise=0.3)
        whole = separate_parts(codes, (1.0, 1.0), 20)
        assert whole.max() > 40
        np.testing.assert_array_equal(by_block(codes, 150, 64, 20)[0], whole)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for its memory")
def test_memory_is_that_of_a_block() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # of discs of radius 20, their rims left out
    assert done.stdout.splitlines() == [f"100 {100 * 1245}", "the whole does not fit"]
