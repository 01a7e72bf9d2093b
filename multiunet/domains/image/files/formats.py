"""Formats of image files by the ending of their names: one reader each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from multiunet.domains.image.files.flat import FLAT, read_flat
from multiunet.domains.image.files.hdf5 import read_hdf5
from multiunet.domains.image.files.nifti import ENDINGS, read_nifti
from multiunet.domains.image.files.ome_zarr import read_zarr
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.image.files.tiff import read_tiff

TIFF = (".tif", ".tiff")

CONTAINERS = (".h5", ".hdf5", ".zarr")
"""Endings of files that hold arrays by name."""

READERS: dict[str, Callable[[Path, Wanted], Stack]] = {
    **dict.fromkeys(FLAT[:1], read_flat),
    **dict.fromkeys(TIFF, read_tiff),
    **dict.fromkeys(FLAT[1:], read_flat),
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".zarr": read_zarr,
    **dict.fromkeys(ENDINGS, read_nifti),
}
"""By ending, in the order in which messages list them."""

SUFFIXES = tuple(READERS)


def ending_of(name: str) -> str | None:
    """Return which of ``SUFFIXES`` a name ends in, whatever its case."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)
