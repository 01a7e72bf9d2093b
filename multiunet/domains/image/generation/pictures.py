"""New images as files, in the numbers of the training images, and a sheet of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.units import MICROMETRE
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.domains.image.generation.requests import Request
from multiunet.domains.image.generation.shown_inputs import show_inputs
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.tiff_files import make_uuid
from multiunet.files import write_atomically
from multiunet.prediction import open_datasets
from multiunet.prediction.group_names import FreeNames, group_name

SHEET = "contact_sheet.png"

LARGEST_PNG = 1 << 24
"""Pixels of the largest PNG; larger images are TIFFs."""


def export_samples(
    samples: Path, folder: Path, requests: Sequence[Request], info: ImageInfo, cache: FileCache
) -> list[Path]:
    """Write each sample, ``NAME_000.png`` or ``.tif``, and the contact sheet; return the files.

    What samples are made from (a map of classes, or an image) is left of them on the sheet.
    Conditions are in the order in which they were asked for. Values are rounded, and cut off at the ends of the
    training images' type of numbers.

    Args:
        requests: that the samples answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, groups, free = [], open_datasets(samples), FreeNames()
    opened = {name: groups[name] for name in sorted(groups, key=lambda name: groups[name].attrs["place"])}
    for name, dataset in opened.items():
        width = max(3, len(str(dataset.sizes["sample"] - 1)))
        stem = free.give(group_name(name), name)
        for number, image in enumerate(_images(dataset)):
            written.append(
                _save(folder / f"{stem}_{number:0{width}d}", as_numbers(image, info.generated.numbers), dataset, info)
            )
    sheet = folder / SHEET
    known = info.generated
    rows = [list(_images(dataset, most=16)) for dataset in opened.values()]
    asked = {request.name: request for request in requests}
    inputs = [show_inputs(asked[name], info, cache) for name in opened]
    picture = make_sheet(rows, known.lowest, known.highest, list(opened), inputs if any(inputs) else ())
    write_atomically(sheet, lambda path: Image.fromarray(picture).save(path, format="PNG"))
    return [*written, sheet]


def as_numbers(image: NDArray[np.float32], numbers: str) -> np.ndarray:
    """Return an image in a type of numbers: whole ones rounded and cut off at the type's ends.

    >>> as_numbers(np.float32([-3.0, 2.6, 300.0]), "uint8").tolist()
    [0, 3, 255]
    """
    kind = np.dtype("uint8") if numbers == "bool" else np.dtype(numbers)
    if kind.kind not in "iu":
        return image.astype(kind)
    ends = np.iinfo(kind)
    exact = np.float32 if kind.itemsize <= 2 else np.float64
    rounded: np.ndarray = np.rint(image.astype(exact, copy=False)).clip(ends.min, ends.max)
    return rounded.astype(kind)


def _images(dataset: xr.Dataset, most: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Read sample by sample, ``(C, *space)``."""
    for number in range(min(dataset.sizes["sample"], most or dataset.sizes["sample"])):
        yield np.asarray(dataset["samples"][number].values, np.float32)


def _save(stem: Path, image: np.ndarray, dataset: xr.Dataset, info: ImageInfo) -> Path:
    flat, colours = image.ndim == 3, info.colour == "rgb"
    plain = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1) if colours else image
    small = plain.size <= LARGEST_PNG and flat
    if (
        small
        and (image.dtype == np.uint8 or image.dtype == np.uint16)
        and (len(image) == 1 or _is_rgb8(image, colours))
    ):
        path = stem.with_name(f"{stem.name}.png")
        write_atomically(path, lambda temporary: Image.fromarray(plain).save(temporary, format="PNG"))
        return path
    path = stem.with_name(f"{stem.name}.tif")
    write_atomically(path, lambda temporary: _write_tiff(temporary, plain, dataset, colours, several=len(image) > 1))
    return path


def _is_rgb8(image: np.ndarray, colours: bool) -> bool:
    return colours and image.dtype == np.uint8


def _write_tiff(path: Path, image: np.ndarray, dataset: xr.Dataset, colours: bool, several: bool) -> None:
    dims = [str(dim) for dim in dataset["mean"].dims[1:]]
    axes = ("C" if several and not colours else "") + "".join(dims).upper() + ("S" if several and colours else "")
    metadata: dict[str, Any] = {"axes": axes, "UUID": make_uuid(image, axes)}
    if dataset.attrs.get("unit") == MICROMETRE:
        for dim, step in zip(dims, dataset.attrs["spacing"]):
            metadata |= {f"PhysicalSize{dim.upper()}": float(step), f"PhysicalSize{dim.upper()}Unit": MICROMETRE}
    photometric = "rgb" if several and colours else "minisblack"
    tifffile.imwrite(path, image, ome=True, photometric=photometric, compression="zlib", metadata=metadata)
