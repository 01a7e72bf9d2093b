"""Formats of image files by the ending of their names: one reader each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from multiunet.domains.image.files.bioimages import MODULES, list_parts, read_bioimage
from multiunet.domains.image.files.dicom import DICOM, is_series, read_dicom
from multiunet.domains.image.files.flat import FLAT, read_flat
from multiunet.domains.image.files.hdf5 import list_hdf5_times, names_hdf5_time, read_hdf5
from multiunet.domains.image.files.microscopy import PLUGINS, read_microscopy
from multiunet.domains.image.files.mrc import MRC, read_mrc
from multiunet.domains.image.files.nifti import ENDINGS, read_nifti
from multiunet.domains.image.files.ome_zarr import list_zarr_times, names_zarr_time, read_zarr
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.image.files.tiff import read_tiff
from multiunet.domains.image.files.tiff_times import list_tiff_times, names_tiff_time

TIFF = (".tif", ".tiff")

CONTAINERS = (".h5", ".hdf5", ".zarr")
"""Endings of files that hold arrays by name."""

Read = Callable[[Path, Wanted], Stack]

READERS: dict[str, Read] = {
    **dict.fromkeys(FLAT[:1], read_flat),
    **dict.fromkeys(TIFF, read_tiff),
    **dict.fromkeys(FLAT[1:], read_flat),
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".zarr": read_zarr,
    **dict.fromkeys(ENDINGS, read_nifti),
    **dict.fromkeys(MRC, read_mrc),
    **dict.fromkeys(PLUGINS, read_microscopy),
    **dict.fromkeys(DICOM, read_dicom),
    **dict.fromkeys(MODULES, read_bioimage),
}
"""By ending, in the order in which messages list them."""

PARTS: dict[str, Callable[[Path, Wanted], list[Path]]] = {
    **dict.fromkeys(TIFF, list_tiff_times),
    ".h5": list_hdf5_times,
    ".hdf5": list_hdf5_times,
    ".zarr": list_zarr_times,
    **dict.fromkeys(MODULES, list_parts),
}
"""What lists the images of a file that may hold several, by its ending."""

NAMES_PART: dict[str, Callable[[Path], bool]] = {
    **dict.fromkeys(TIFF, names_tiff_time),
    **dict.fromkeys(MODULES, lambda path: True),
    ".h5": names_hdf5_time,
    ".hdf5": names_hdf5_time,
    ".zarr": names_zarr_time,
}
"""What tells whether a place in a file is one of its scenes or points in time, by its ending."""

SUFFIXES = tuple(READERS)


def find_reader(file: Path) -> Read | None:
    """Return what reads a file, by its ending, or the folder of a DICOM series; None of any other."""
    ending = ending_of(file.name)
    if ending is not None:
        return READERS[ending]
    return read_dicom if file.is_dir() and is_series(file) else None


def ending_of(name: str) -> str | None:
    """Return which of ``SUFFIXES`` a name ends in, whatever its case."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)
