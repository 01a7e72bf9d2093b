"""NIfTI files."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from multiunet.domains.expansion import check_promise
from multiunet.domains.image.files.lazy import MOST, Lazy, Region, check_fits
from multiunet.domains.image.files.stack import Stack, Wanted, stack_named
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

ENDINGS = (".nii", ".nii.gz")

PIECE = 1 << 20
"""Bytes that are read at once behind the voxels."""

MOST_PADDING = 1 << 22
"""Most zeros that may follow the voxels."""


def read_nifti(path: Path, wanted: Wanted) -> Stack:
    """Read an image or volume; axes x, y, z as in the file become z, y, x. A compressed one is read whole.

    Raises:
        InputError: for a series of volumes, pixels that are no numbers, a file that is shorter or longer than its
            header says, or compressed data that do not have their checksum.
    """
    import nibabel

    image: Any = nibabel.load(path)
    proxy = image.dataobj
    if proxy.dtype.kind not in "buif":
        raise InputError(f"{path}: pixels of type {proxy.dtype}; give integers or floats")
    shape = tuple(proxy.shape)
    voxels = math.prod(shape)
    end = int(proxy.offset) + voxels * proxy.dtype.itemsize
    dtype = np.asarray(proxy[(slice(0, 1),) * len(shape)]).dtype  # of the scaled values
    if path.name.lower().endswith(".gz"):
        check_promise(path, "the volume", path.stat().st_size, end)
        if voxels <= MOST:
            check_fits(path, "a compressed volume", 2 * voxels * proxy.dtype.itemsize)

        def read(region: Region) -> np.ndarray:
            values: np.ndarray = np.asanyarray(type(image).from_bytes(_decompress(path, end)).dataobj)[region]
            return values

        values = Lazy(shape, dtype, read, shape)
    else:
        if voxels <= MOST:  # more are refused when the pixels are read
            _check_length(path, end)
        # the first axis is contiguous in the file
        chunk = (shape[0], *(1,) * (len(shape) - 1))
        values = Lazy(shape, dtype, lambda region: np.asarray(proxy[region]), chunk)
    if len(shape) < 2 or math.prod(shape[3:]) > 1:
        raise InputError(f"{path}: axes {shape}; give one image or volume a file")
    return replace(stack_named(path, values, _axes(shape), _steps(path, image)), orientation=_orientation(image))


def _decompress(path: Path, end: int) -> bytes:
    """Return header and voxels; read to the end of the file, as the checksum stands there.

    Raises:
        InputError: when something follows the voxels.
    """
    with gzip.open(path) as file:
        content = file.read(end)
        _check_padding(path, file)
    return content


def _check_length(path: Path, end: int) -> None:
    """Check that an uncompressed file ends with its voxels."""
    found = path.stat().st_size
    if found < end:
        raise InputError(f"{path}: cut short: has {found:,} of {end:,} bytes; copy or export it again")
    if found > end:
        with open(path, "rb") as file:
            file.seek(end)
            _check_padding(path, file)


def _check_padding(path: Path, file: IO[bytes] | gzip.GzipFile) -> None:
    """Check that nothing follows the voxels but a few zeros, and read these to the end."""
    length = 0
    while rest := file.read(PIECE):
        length += len(rest)
        if length > MOST_PADDING or rest.count(0) < len(rest):
            raise InputError(f"{path}: holds more bytes than its header describes; copy or export it again")


def _axes(shape: tuple[int, ...]) -> list[str]:
    """Name the axes x, y, z of the file; of a single section, the two that are left are x and y."""
    long = [axis for axis, n in enumerate(shape[:3]) if n > 1]
    if len(shape) < 3 or len(long) != 2:
        return ["x", "y", "z", "t", "u", "v", "w"][: len(shape)]
    names = {long[0]: "x", long[1]: "y"}
    return [names.get(axis, f"single {axis}") for axis in range(len(shape))]


def _steps(path: Path, image: Any) -> list[float | None]:
    """Return the sizes of a voxel by axis, micrometres; say where header and affine disagree."""
    from nibabel.affines import voxel_sizes
    from nibabel.openers import ImageOpener

    with ImageOpener(path) as file:  # nibabel corrects voxel sizes that cannot be
        header = type(image.header).from_fileobj(file, check=False)
    # NIfTI's own default is millimetres
    factor = {"micron": 1.0, "meter": 1e6}.get(image.header.get_xyzt_units()[0], 1e3)
    steps = [float(step) for step in header["pixdim"][1 : 1 + len(image.shape)]]
    stated = voxel_sizes(image.affine)
    if header["sform_code"] > 0 and not np.allclose(steps[:3], stated[: len(steps[:3])], rtol=0.01):
        remark_file(
            path,
            "the header is believed",
            f"its header says that voxels are {_listed(steps[:3])}, its affine (sform) {_listed(stated)}",
        )
    return [step * factor for step in steps]


def _listed(steps: Iterable[float]) -> str:
    return " x ".join(f"{step:g}" for step in steps)


def _orientation(image: Any) -> str | None:
    """Return where the axes x, y, z point, such as ``RAS``; None where the file does not say."""
    import nibabel

    stated = image.header["sform_code"] > 0 or image.header["qform_code"] > 0
    codes = nibabel.orientations.aff2axcodes(image.affine) if stated else (None,)
    return None if None in codes else "".join(map(str, codes))
