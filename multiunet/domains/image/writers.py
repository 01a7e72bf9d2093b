"""Predictions as image files: class maps in the values of the masks, uncertainty, quantities."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from PIL import Image

from multiunet.domains.domain import Facts
from multiunet.domains.image.lazy import WHOLE, Lazy, Pixels, blocks, mapped, merged
from multiunet.domains.image.readers import unpacked
from multiunet.domains.image.tiff import MICROMETRE
from multiunet.files import write_atomically
from multiunet.prediction import open_prediction

PNG_TYPES = (np.uint8, np.uint16)

CLASSIC = (1 << 32) - (1 << 25)
"""Bytes that fit into a TIFF file whose places are 32-bit numbers."""


def export(prediction: Path, folder: Path, facts: Facts) -> list[Path]:
    """Writes the files of each predicted image into ``folder``; returns them.

    - ``STEM_class.png``: for each pixel the mask value of its class, of the type that the masks needed, or its colour
      (a volume, a large image, or values that PNG has not: ``STEM_class.tif``);
    - ``STEM_mean.tif``: float32 quantities, in the target's units; several are pages;
    - ``STEM_uncertainty.tif``: float32 total variance. Of quantities, in their units squared; of classes, summed over
      them, which is ``1 - sum p^2``: the probability that two draws from the prediction differ, 0 to ``1 - 1 / K``.

    TIFF is written strip by strip, so nothing need fit into memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, dataset in open_prediction(prediction).items():
        total = _stored(dataset["total"])
        if facts["task"] == "segmentation":
            classes, values = _stored(dataset["class"]), mask_values(facts)
            flat = classes.ndim == 2 and values.dtype in PNG_TYPES and classes.size <= WHOLE
            path = folder / f"{name}_class{'.png' if flat else '.tif'}"
            written.append(_save(path, _named(classes, values), dataset))
            whole = merged(total, lambda block: block.sum(axis=0), np.float32)
        else:
            written.append(_save(folder / f"{name}_mean.tif", _plain(_stored(dataset["mean"])), dataset))
            whole = _plain(total)
        written.append(_save(folder / f"{name}_uncertainty.tif", whole, dataset))
    return written


def _stored(variable: xr.DataArray) -> Lazy:
    """Rows of it are read at once: in their order they are written."""
    chunk = (*(1,) * (variable.ndim - 1), variable.shape[-1])
    return Lazy(variable.shape, variable.dtype, lambda region: variable[region].values, chunk)


def _named(classes: Lazy, values: np.ndarray) -> Pixels:
    """A map of classes as their mask values, or as their colours, which make one axis more."""
    if values.ndim == 1:
        return mapped(classes, values.__getitem__, values.dtype)
    shape, chunk = (*classes.shape, values.shape[1]), (*classes.chunk, values.shape[1])
    return Lazy(shape, values.dtype, lambda region: values[classes.read(region[:-1])], chunk)


def mask_values(facts: Facts) -> np.ndarray:
    """The mask value of each class, in the smallest integer type for them all; or its colour, ``(classes, 3)``."""
    if facts["coloured"]:
        return unpacked(np.asarray(facts["values"], dtype=np.int64))
    values = np.asarray(facts["values"], dtype=np.int64)
    kinds = (np.uint8, np.uint16, np.int16, np.int32)
    fitting = (k for k in kinds if values[0] >= np.iinfo(k).min and values[-1] <= np.iinfo(k).max)
    return values.astype(next(fitting, np.int64))


def _plain(quantities: Lazy) -> Pixels:
    return merged(quantities, lambda block: block[0], np.float32) if quantities.shape[0] == 1 else quantities


def _save(path: Path, pixels: Pixels, dataset: xr.Dataset) -> Path:
    write: Callable[[Path], Any]
    if path.suffix == ".png":
        image = Image.fromarray(pixels[...])
        write = lambda temporary: image.save(temporary, format="PNG")  # noqa: E731
    else:
        write = lambda temporary: _write_tiff(temporary, pixels, dataset)  # noqa: E731
    write_atomically(path, write)
    return path


def _write_tiff(path: Path, pixels: Pixels, dataset: xr.Dataset) -> None:
    dims = [str(dim) for dim in dataset["total"].dims[1:]]
    colours = pixels.ndim > len(dims) and pixels.dtype == np.uint8
    # quantities are channels, colours are samples of a pixel
    axes = ("C" if pixels.ndim > len(dims) and not colours else "") + "".join(dims).upper() + ("S" if colours else "")
    metadata: dict[str, Any] = {"axes": axes}
    if dataset.attrs.get("unit") == MICROMETRE:
        for dim, step in zip(dims, dataset.attrs["spacing"]):
            metadata |= {f"PhysicalSize{dim.upper()}": float(step), f"PhysicalSize{dim.upper()}Unit": MICROMETRE}
    row = axes.index("Y")
    tifffile.imwrite(
        path,
        _strips(pixels, row),
        shape=pixels.shape,
        dtype=pixels.dtype,
        bigtiff=pixels.nbytes > CLASSIC,
        rowsperstrip=next(blocks(pixels))[row].stop,
        ome=True,
        photometric="rgb" if colours else "minisblack",
        compression="zlib",
        metadata=metadata,
    )


def _strips(pixels: Pixels, row: int) -> Iterator[bytes]:
    """The compressed strips of all pages: a block's rows are one strip of each of its pages."""
    for region in blocks(pixels):
        block = np.ascontiguousarray(pixels[region])
        for page in np.ndindex(block.shape[:row]):
            yield zlib.compress(block[page].tobytes(), 6)
