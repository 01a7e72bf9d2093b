"""DICOM: a file, or the slices of a series in a folder as one volume (PS3.3, C.7.6.2)."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.expansion import check_promise
from multiunet.domains.image.files.extras import import_for
from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.stack import Stack, Wanted, stack_named
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

DICOM = (".dcm", ".dicom")

MAGIC, PREAMBLE = b"DICM", 128

DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of which all is unpacked before anything can be checked."""

LOOKED_AT = 16
"""Files of a folder by which it is known as a series."""

MILLIMETRE = 1e3
"""In micrometres."""

UNEVEN = 0.02
"""Share by which distances of slices may differ."""

LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
"""Directions of DICOM's axes, and against them."""


@dataclass(frozen=True)
class Slice:
    """Header of a file: how many pixels it has, and where they lie.

    Attributes:
        shape: frames, rows, columns, samples.
        slope, intercept: of stored numbers, which make those of the modality.
        place: distance along the normal of the slices, millimetres; None where it is not stated.
        number: of the slice in its series.
        spacing: millimetres between rows, and between columns.
        thick: millimetres between slices, as stated.
        axes: directions of a row, a column and the normal, ``(3, 3)``.
        inverted: the lowest number is white.
    """

    file: Path
    series: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    place: float | None
    number: int
    spacing: tuple[float, float] | None
    thick: float | None
    axes: NDArray[np.float64] | None
    inverted: bool


def is_series(folder: Path) -> bool:
    """Return whether a folder holds two DICOM files or more, among the first that are looked at."""
    try:
        looked_at = list(itertools.islice(folder.iterdir(), LOOKED_AT))
    except OSError:  # a folder that may not be read is no series
        return False
    return sum(map(_is_dicom, looked_at)) > 1


def read_dicom(path: Path, wanted: Wanted) -> Stack:
    """Read the frames of a file, or the slices in a folder, sorted by their places.

    Numbers are those of the modality: slope and intercept are applied.

    Raises:
        InputError: when pydicom is not installed, or files cannot be read, are shorter than they say, or are no slices
            of one volume.
    """
    import_for(path, "pydicom", "pydicom", "medical")
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if _is_dicom(file))
    slices = [_read_header(file) for file in files]
    first = slices[0]
    for one in slices[1:]:
        _check_alike(path, first, one)
    slices, apart = _sort(path, slices)
    if any(one.inverted for one in slices):
        remark_file(
            path, "says that 0 is white (MONOCHROME1), so viewers show it inverted; its numbers are read as stored"
        )
    kind = _kind(slices)
    frames, rows, columns, samples = first.shape
    shape = (len(slices) * frames, rows, columns, samples)

    def read(region: Region) -> np.ndarray:
        along, *rest = region
        parts = [_decode(slices[z // frames], z % frames, kind)[tuple(rest)] for z in range(along.start, along.stop)]
        return np.stack(parts) if parts else np.empty((0, *(part.stop - part.start for part in rest)), kind)

    steps = [None if step is None else step * MILLIMETRE for step in (apart, *(first.spacing or (None, None)), None)]
    known = steps if first.spacing else []
    stack = stack_named(path, Lazy(shape, kind, read, (1, rows, columns, samples)), ("z", "y", "x", "c"), known)
    orientation = None if first.axes is None or shape[0] == 1 else "".join(map(_letter, first.axes))
    return replace(stack, orientation=orientation)


class _Bounded(io.BufferedReader):
    """File that makes no room for more than it holds, whatever length a damaged header states."""

    def __init__(self, file: Path) -> None:
        super().__init__(io.FileIO(file))
        self._end = file.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _is_dicom(path: Path) -> bool:
    try:
        if path.name.startswith(".") or not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC
    except OSError:
        return False


def _read_header(file: Path) -> Slice:
    """Read what a file says of its pixels, and check that it holds them."""
    import pydicom
    from pydicom.filereader import read_file_meta_info

    with reading(file):
        syntax = read_file_meta_info(file).get("TransferSyntaxUID", "")
        if syntax == DEFLATED:
            raise InputError(
                f"{file}: is deflated as a whole, which is not read; save it uncompressed (dcmconv, gdcmconv)"
            )
        with _Bounded(file) as stream:
            data = pydicom.dcmread(stream, stop_before_pixels=True)
        bits, samples = int(data.BitsAllocated), int(data.get("SamplesPerPixel", 1))
        shape = (int(data.get("NumberOfFrames") or 1), int(data.Rows), int(data.Columns), samples)
        if bits not in (8, 16, 32) or min(shape) < 1 or samples > 4:
            raise InputError(f"{file}: states {shape} pixels of {bits} bits; numbers of 8, 16 or 32 bits are read")
        promised, held = math.prod(shape) * bits // 8, file.stat().st_size
        if pydicom.uid.UID(syntax).is_compressed:
            check_promise(file, "its image", held, promised)
        elif promised > held:
            raise InputError(f"{file}: cut short: has {held:,} bytes, but its pixels take {promised:,}; copy it again")
        kind = np.dtype(f"{'i' if data.get('PixelRepresentation', 0) else 'u'}{bits // 8}")
        if (data.get("RescaleSlope") is None) != (data.get("RescaleIntercept") is None):
            raise ValueError("states one of RescaleSlope and RescaleIntercept without the other")
        measures = _measures(data)
        axes = _directions(data.get("ImageOrientationPatient"))
        position = data.get("ImagePositionPatient")
        place = None if axes is None or not position else float(axes[2] @ np.array(position, np.float64))
        return Slice(
            file=file,
            series=str(data.get("SeriesInstanceUID", "")),
            shape=shape,
            dtype=kind,
            slope=_finite(data.get("RescaleSlope"), 1.0),
            intercept=_finite(data.get("RescaleIntercept"), 0.0),
            place=place if place is None or math.isfinite(place) else None,
            number=int(data.get("InstanceNumber") or 0),
            spacing=_spacing(measures.get("PixelSpacing")),
            thick=_finite(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness"), math.nan),
            axes=axes,
            inverted=data.get("PhotometricInterpretation") == "MONOCHROME1",
        )


def _measures(data: Any) -> Any:
    """Return what states sizes of pixels: the file itself, or of many frames what they share."""
    if data.get("PixelSpacing") or not (shared := data.get("SharedFunctionalGroupsSequence")):
        return data
    inner = shared[0].get("PixelMeasuresSequence")
    return inner[0] if inner else data


def _finite(value: Any, default: float) -> float:
    if value is None:
        return default
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a number in its header is {number}")
    return number


def _spacing(value: Any) -> tuple[float, float] | None:
    return None if not value or len(value) != 2 else (float(value[0]), float(value[1]))


def _directions(cosines: Any) -> NDArray[np.float64] | None:
    if not cosines or len(cosines) != 6:
        return None
    row, column = np.array(cosines, np.float64).reshape(2, 3)
    found: NDArray[np.float64] = np.stack([row, column, np.cross(row, column)])
    return found if np.isfinite(found).all() and np.abs(found[2]).max() > 0 else None


def _letter(direction: NDArray[np.float64]) -> str:
    axis = int(np.abs(direction).argmax())
    return LETTERS[axis][0 if direction[axis] > 0 else 1]


def _check_alike(path: Path, first: Slice, one: Slice) -> None:
    if one.series != first.series:
        raise InputError(
            f"{path}: holds slices of several series ({first.file.name}, {one.file.name}); put each into a folder of "
            "its own"
        )
    same_axes = first.axes is not None and one.axes is not None and np.allclose(first.axes, one.axes, atol=1e-3)
    if one.shape != first.shape or one.dtype != first.dtype or (first.axes is not None and not same_axes):
        raise InputError(
            f"{path}: {one.file.name} and {first.file.name} differ in size, type or direction, so they are no slices "
            "of one volume; put each volume into a folder of its own"
        )


def _sort(path: Path, slices: Sequence[Slice]) -> tuple[list[Slice], float | None]:
    """Return slices in the order of their places, and millimetres between them."""
    stated = slices[0].thick if slices[0].thick is not None and math.isfinite(slices[0].thick) else None
    places = [one.place for one in slices if one.place is not None]
    if len(slices) == 1 or len(places) < len(slices):
        return sorted(slices, key=lambda one: (one.number, one.file.name)), stated
    order = sorted(slices, key=lambda one: one.place or 0.0)
    steps = np.diff(np.sort(np.array(places)))
    if steps.min() <= UNEVEN * np.median(steps):
        raise InputError(
            f"{path}: holds several slices of one place, as of several times or echoes; put each volume into a folder "
            "of its own"
        )
    if steps.max() - steps.min() > UNEVEN * np.median(steps):
        remark_file(
            path,
            f"its slices are {steps.min():g} to {steps.max():g} mm apart, and are read as if all were "
            f"{np.median(steps):g}; is one missing?",
        )
    return order, float(np.median(steps))


def _kind(slices: Sequence[Slice]) -> np.dtype[Any]:
    """Return the type of the numbers of the modality: whole ones stay whole."""
    if all((one.slope, one.intercept) == (1.0, 0.0) for one in slices):
        return slices[0].dtype
    whole = all(one.slope == 1 and one.intercept == round(one.intercept) for one in slices)
    return np.dtype(np.int32 if whole and slices[0].dtype.itemsize <= 2 else np.float32)


def _decode(one: Slice, frame: int, kind: np.dtype[Any]) -> np.ndarray:
    """Return a frame ``(rows, columns, samples)`` in the numbers of the modality."""
    from pydicom.pixels import pixel_array

    with reading(one.file):
        with _Bounded(one.file) as stream:
            stored = np.asarray(pixel_array(stream, index=frame)).reshape(one.shape[1:])
        if kind == one.dtype:
            same: np.ndarray = stored.astype(kind, copy=False)
            return same
        numbers: np.ndarray = (stored * np.float64(one.slope) + one.intercept).astype(kind)
        return numbers
