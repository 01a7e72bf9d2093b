"""Files of light microscopes (Zeiss czi, Nikon nd2, Leica lif), read scene by scene through bioio."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.extras import import_for
from multiunet.domains.image.files.lazy import MOST, Lazy, Region
from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.image.files.stack import Stack, Wanted, stack_named
from multiunet.errors import InputError

MODULES = {".czi": "bioio_czi", ".nd2": "bioio_nd2", ".lif": "bioio_lif"}
"""Packages of readers by the endings of files."""

MOST_PARTS = 100_000
"""Scenes and points in time of a file, at most."""

PART = re.compile(r"s(\d+)(?:_t(\d+))?|t(\d+)")
"""Names of parts: ``s2`` the second scene, ``t3`` the third point in time, ``s2_t3`` both."""


def list_parts(path: Path, wanted: Wanted) -> list[Path]:
    """List the images of a file: itself, or a place in it for each of several scenes and times.

    Raises:
        InputError: when bioio is not installed, or the file holds too many.
    """
    with _opened(path) as image:
        scenes = [str(scene) for scene in image.scenes]
        parts: list[tuple[int, int, int]] = []
        for scene, name in enumerate(scenes):
            image.set_scene(name if len(set(scenes)) == len(scenes) else scene)
            times = int(getattr(image.dims, "T", 1))
            if len(parts) + times > MOST_PARTS:
                raise InputError(f"{path}: says that it holds over {MOST_PARTS:,} images; export them one by one")
            parts += [(scene, time, times) for time in range(times)]
    if len(parts) == 1:
        return [path]
    width = [len(str(len(scenes))), max(len(str(times)) for _, _, times in parts)]
    return [join_place(path, _name_part(scene, time, times, len(scenes), width)) for scene, time, times in parts]


def _name_part(scene: int, time: int, times: int, scenes: int, width: list[int]) -> str:
    words = [f"s{scene + 1:0{width[0]}}"] if scenes > 1 else []
    return "_".join([*words, *([f"t{time + 1:0{width[1]}}"] if times > 1 else [])])


def read_bioimage(path: Path, wanted: Wanted) -> Stack:
    """Read an image or volume with its channels and the size of its pixels.

    Of several in a file, ``FILE.czi:/s2_t3`` names one.

    Raises:
        InputError: when bioio is not installed, the file cannot be read, or it holds several images and none is named.
    """
    _, inside = split_place(path)
    scene, time = _find_part(path, inside)
    with _opened(path) as image:
        scenes = len(image.scenes)
        if scene >= scenes:
            raise InputError(f"{path}: no such scene; the file has {scenes}")
        if scenes > 1 and not inside.startswith("s"):
            raise InputError(f"{path}: holds {scenes} scenes; name one, as {join_place(path, 's1')}")
        image.set_scene(scene)
        data, order = image.dask_data, str(image.dims.order)
        times = int(getattr(image.dims, "T", 1))
        if time >= times:
            raise InputError(f"{path}: no such point in time; there are {times}")
        if times > 1 and "t" not in inside:
            raise InputError(f"{path}: holds {times} points in time; name one, as {join_place(path, 't1')}")
        sizes, names = image.physical_pixel_sizes, [str(name) for name in image.channel_names or ()]
    if data.size > MOST:
        raise InputError(f"{path}: says that it holds {data.size:,} numbers, which no image does; is it damaged?")
    if "T" in order:
        data, order = data[(slice(None),) * order.index("T") + (time,)], order.replace("T", "")
    if "S" in order and "C" in order:  # of colours each channel is one image of red, green and blue
        if data.shape[order.index("C")] > 1:
            raise InputError(f"{path}: holds several channels in colours; export them one by one")
        data, order = data[(slice(None),) * order.index("C") + (0,)], order.replace("C", "")
    steps = [float(step) if step else None for step in (getattr(sizes, axis, None) for axis in order)]
    stack = stack_named(path, _lazy(data), list(order.lower()), steps)
    return replace(stack, names=tuple(names) if len(names) == stack.pixels.shape[0] else None)


def _find_part(path: Path, inside: str) -> tuple[int, int]:
    """Return the indices of scene and time that a place names."""
    found = PART.fullmatch(inside) if inside else None
    if inside and found is None:
        raise InputError(
            f"{path}: no such image; name a scene and a point in time, as {join_place(split_place(path)[0], 's1_t1')}"
        )
    scene, time, alone = (int(number or 1) - 1 for number in (found.groups() if found else (None,) * 3))
    if min(scene, time, alone) < 0:
        raise InputError(f"{path}: scenes and points in time are counted from 1")
    return scene, max(time, alone)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    file, _ = split_place(path)
    module = MODULES[file.suffix.lower()]
    reader = import_for(path, module, module.replace("_", "-"), "bio")
    image = reader.Reader(str(file))
    if not image.scenes:
        raise InputError(f"{path}: holds no image; export it again")
    yield image


def _lazy(data: Any) -> Lazy:
    def read(region: Region) -> np.ndarray:
        return np.asarray(data[region].compute(scheduler="synchronous"))

    chunk = tuple(int(max(parts)) for parts in data.chunks)
    return Lazy(tuple(map(int, data.shape)), np.dtype(data.dtype), read, chunk)
