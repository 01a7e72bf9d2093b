"""Files of electron microscopes (Gatan, Thermo Fisher, Bruker, NCEM), read by RosettaSciIO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.extras import import_for
from multiunet.domains.image.files.hdf5_heaps import check_heaps
from multiunet.domains.image.files.hdf5_links import check_links
from multiunet.domains.image.files.lazy import Lazy, Region, check_fits
from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.image.files.stack import MEANINGS, Stack, Wanted, stack_named
from multiunet.domains.image.files.units import micrometres
from multiunet.errors import InputError
from multiunet.wording import listing

PLUGINS = {".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".emd": "emd", ".ser": "tia", ".bcf": "bruker"}
"""Readers of RosettaSciIO by the endings of files."""

ONLY_IMAGES: Mapping[str, Mapping[str, Any]] = {
    ".emd": {"select_type": "image", "lazy": True},
    ".bcf": {"select_type": "image"},
}
"""What is asked of a reader, so that no spectrum of each pixel is unpacked."""

TIMES = 2
"""Times its size that a file takes in memory while it is read whole."""


@dataclass(frozen=True)
class Signal:
    """One image of a file.

    Attributes:
        title: that the file gives it.
        values: in the file's order of axes.
        names: of the axes.
        steps: micrometres by axis; None where unknown.
    """

    title: str
    values: Lazy
    names: tuple[str, ...]
    steps: tuple[float | None, ...]


def read_microscopy(path: Path, wanted: Wanted) -> Stack:
    """Read the image or volume of a file.

    Images of one size, of several detectors, are channels with their titles for names. ``FILE.emd:/title`` names one
    of several.

    Raises:
        InputError: when RosettaSciIO is not installed, the file cannot be read, or it is not clear which image is
            meant.
    """
    file, inside = split_place(path)
    ending = file.suffix.lower()
    reader = import_for(path, f"rsciio.{PLUGINS[ending]}", "RosettaSciIO", "microscopy")
    options = dict(ONLY_IMAGES.get(ending, {}))
    if ending == ".emd":
        check_links(path, file)
        check_heaps(path, file)
    else:
        check_fits(path, "the whole, which is read at once,", TIMES * file.stat().st_size)
    signals = [_describe(found) for found in reader.file_reader(str(file), **options)]
    images = [signal for signal in signals if signal.values.ndim >= 2]
    if inside:
        images = [signal for signal in images if signal.title == inside]
    if not images:
        known = listing([signal.title for signal in signals]) or "nothing"
        raise InputError(f"{path}: holds no image{f' {inside!r}' if inside else ''}, but {known}")
    if len(images) == 1:
        return _stack(path, images[0])
    return _join(path, [_stack(path, image) for image in images], [image.title for image in images])


def _stack(path: Path, signal: Signal) -> Stack:
    return replace(stack_named(path, signal.values, signal.names, signal.steps), samples=signal.names[-1] == "c")


def _join(path: Path, stacks: Sequence[Stack], titles: Sequence[str]) -> Stack:
    """Return images of one size as the channels of one, with their titles for names.

    Raises:
        InputError: when they differ.
    """
    first, shapes = stacks[0], {stack.pixels.shape for stack in stacks}
    if len(shapes) > 1 or first.pixels.shape[0] > 1:
        place = join_place(path, titles[0])
        raise InputError(f"{path}: holds {len(stacks)} images ({listing(list(titles))}); name one, as {place}")
    kind = np.result_type(*(stack.pixels.dtype for stack in stacks))

    def read(region: Region) -> np.ndarray:
        rest = (slice(0, 1), *region[1:])
        return np.concatenate(
            [stack.pixels.read(rest).astype(kind) for stack in stacks[region[0]]] or [_none(rest, kind)]
        )

    pixels = Lazy((len(stacks), *first.pixels.shape[1:]), kind, read, first.pixels.chunk)
    names = tuple(titles) if len(set(titles)) == len(titles) and all(titles) else None
    return replace(first, pixels=pixels, samples=False, names=names)


def _none(region: Region, kind: np.dtype[Any]) -> np.ndarray:
    return np.empty((0, *(part.stop - part.start for part in region[1:])), kind)


def _describe(found: Mapping[str, Any]) -> Signal:
    """Return one of the images that RosettaSciIO found, colours as a last axis."""
    data = found["data"]
    axes = sorted(found["axes"], key=lambda axis: int(axis.get("index_in_array", 0)))
    names, steps = _axes(axes, data.ndim)
    colours = data.dtype.names
    if colours:  # red, green, blue and opacity, each a byte
        kept = [colour for colour in colours if colour.lower() in "rgb"]
        plain = np.asarray(data)
        data = np.stack([plain[colour] for colour in kept], axis=-1)
        names, steps = (*names, "c"), (*steps, None)
    title = str(found.get("metadata", {}).get("General", {}).get("title", "") or "")
    return Signal(title, _lazy(data), names, steps)


def _axes(axes: Sequence[Mapping[str, Any]], ndim: int) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Return the names of axes, and the distances of pixels along them; without names, the last are y and x."""
    names = tuple(MEANINGS.get(name, name) for name in (str(axis.get("name") or "").lower() for axis in axes))
    if len(names) != ndim or not {"y", "x"} <= set(names):
        names = ("t", "z", "y", "x")[-ndim:] if ndim <= 4 else ("",) * ndim
    if len(axes) != ndim:
        return names, (None,) * ndim
    steps = []
    for axis in axes:
        unit, scale = micrometres(axis.get("units") or ""), float(axis.get("scale", 1.0))
        steps.append(None if unit is None else abs(scale) * unit)
    return names, tuple(steps)


def _lazy(data: Any) -> Lazy:
    """Return an array in memory, or one of dask, which is read by its chunks."""
    if isinstance(data, np.ndarray):
        return Lazy.of(data)
    chunk = tuple(int(max(parts)) for parts in data.chunks)

    def read(region: Region) -> np.ndarray:
        return np.asarray(data[region].compute(scheduler="synchronous"))

    return Lazy(tuple(map(int, data.shape)), np.dtype(data.dtype), read, chunk)
