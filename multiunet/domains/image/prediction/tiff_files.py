"""Predictions as TIFF files, strip by strip: OME-TIFF, or GeoTIFF of images that lie on the earth."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.image.files.geotiff import Georeference
from multiunet.domains.image.files.lazy import Pixels, iter_blocks
from multiunet.domains.image.files.tiff_channels import GDAL_METADATA
from multiunet.domains.image.files.units import MICROMETRE

CLASSIC = (1 << 32) - (1 << 25)
"""Bytes that fit into a TIFF file whose places are 32-bit numbers."""


def write_tiff(path: Path, pixels: Pixels, dataset: xr.Dataset, palette: NDArray[np.uint8] | None = None) -> None:
    """Write pixels of a prediction: OME-TIFF, or GeoTIFF where the image lies on the earth.

    Args:
        pixels: ``space``; channels are the first axis, red, green and blue the last.
        palette: colours ``(256, 3)`` of 8-bit indices.
    """
    dims = [str(dim) for dim in dataset["total"].dims[1:]]
    several = pixels.ndim > len(dims)
    # classes and quantities are channels, colours are samples of a pixel
    channels = several and pixels.shape[1:] == dataset["total"].shape[1:]
    colours = several and not channels
    axes = ("C" if channels else "") + "".join(dims).upper() + ("S" if colours else "")
    names = [str(name) for name in dataset["channel"].values] if channels else []
    row = axes.index("Y")
    # TIFF's palettes have 16 bits a colour, one row each
    own: dict[str, Any] = {} if palette is None else {"colormap": palette.T.astype(np.uint16) * 257}
    stated = dataset.attrs.get("georeference")
    if stated is None:
        first = pixels[next(iter_blocks(pixels))]
        own |= {"ome": True, "metadata": _describe(axes, names, dims, dataset) | {"UUID": make_uuid(first, axes)}}
    else:
        own |= _place(Georeference.from_json(stated), names)
    tifffile.imwrite(
        path,
        _strips(pixels, row),
        shape=pixels.shape,
        dtype=pixels.dtype,
        bigtiff=pixels.nbytes > CLASSIC,
        rowsperstrip=next(iter_blocks(pixels))[row].stop,
        photometric="rgb" if colours else "minisblack" if palette is None else "palette",
        compression="zlib",
        **own,
    )


def make_uuid(pixels: NDArray[Any], axes: str) -> str:
    """Return an identifier of an OME-TIFF that depends on its pixels alone.

    By default tifffile makes one of the time and of this machine's network address, which is nobody's business who is
    given the file; and the same prediction would not be the same file.
    """
    pixels = np.ascontiguousarray(pixels)
    content = hashlib.sha256(f"{axes} {pixels.dtype} {pixels.shape}".encode())
    content.update(pixels.reshape(-1).view(np.uint8).data)
    return str(uuid.UUID(bytes=content.digest()[:16], version=5))


def _describe(axes: str, names: list[str], dims: list[str], dataset: xr.Dataset) -> dict[str, Any]:
    """Return what OME says of the pixels: axes, names of channels, sizes."""
    metadata: dict[str, Any] = {"axes": axes}
    if names:
        metadata["Channel"] = {"Name": names}
    if dataset.attrs.get("unit") == MICROMETRE:
        for dim, step in zip(dims, dataset.attrs["spacing"]):
            metadata |= {f"PhysicalSize{dim.upper()}": float(step), f"PhysicalSize{dim.upper()}Unit": MICROMETRE}
    return metadata


def _place(georeference: Georeference, names: list[str]) -> dict[str, Any]:
    """Return what makes a GeoTIFF: the tags of its image, and channels as bands, which have descriptions."""
    tags, own = georeference.extratags(), dict[str, Any](metadata=None)
    if names:
        items = (
            f'<Item name="DESCRIPTION" sample="{index}" role="description">{escape(name)}</Item>'
            for index, name in enumerate(names)
        )
        tags.append((GDAL_METADATA, "s", 0, f"<GDALMetadata>{''.join(items)}</GDALMetadata>", True))
        own["planarconfig"] = "separate"
    return own | {"extratags": tags}


def _strips(pixels: Pixels, row: int) -> Iterator[bytes]:
    """Yield the compressed strips of all pages: a block's rows are one strip of each of its pages."""
    for region in iter_blocks(pixels):
        block = np.ascontiguousarray(pixels[region])
        for page in np.ndindex(block.shape[:row]):
            yield zlib.compress(block[page].tobytes(), 6)
