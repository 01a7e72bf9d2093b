"""Predictions as image files: class maps in the values of the masks, uncertainty, quantities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from PIL import Image

from multiunet.domains.domain import Facts
from multiunet.domains.image.readers import unpacked
from multiunet.domains.image.tiff import MICROMETRE
from multiunet.files import write_atomically
from multiunet.prediction import open_prediction

PNG_TYPES = (np.uint8, np.uint16)


def export(prediction: Path, folder: Path, facts: Facts) -> list[Path]:
    """Writes the files of each predicted image into ``folder``; returns them.

    - ``STEM_class.png``: for each pixel the mask value of its class, of the type that the masks needed, or its colour
      (a volume, or values that PNG has not: ``STEM_class.tif``);
    - ``STEM_instance.png`` (a volume, or more objects than 16 bits number: ``STEM_instance.tif``): of masks that number
      objects, the object of each pixel, 1, 2, ...; 0 outside;
    - ``STEM_mean.tif``: float32 quantities, in the target's units; several are pages;
    - ``STEM_uncertainty.tif``: float32 total variance. Of quantities, in their units squared; of classes, summed over
      them, which is ``1 - sum p^2``: the probability that two draws from the prediction differ, 0 to ``1 - 1 / K``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, dataset in open_prediction(prediction).items():
        total = np.asarray(dataset["total"].values, dtype=np.float32)
        if facts["task"] == "segmentation":
            values = mask_values(facts)[dataset["class"].values]
            written.append(_save_map(folder / f"{name}_class", values, dataset))
            if "instance" in dataset:
                objects = dataset["instance"].values
                objects = objects.astype(np.uint16 if objects.max(initial=0) < 2**16 else np.int32)
                written.append(_save_map(folder / f"{name}_instance", objects, dataset))
            total = total.sum(axis=0)
        else:
            mean = np.asarray(dataset["mean"].values, dtype=np.float32)
            written.append(_save(folder / f"{name}_mean.tif", _plain(mean), dataset))
            total = _plain(total)
        written.append(_save(folder / f"{name}_uncertainty.tif", total, dataset))
    return written


def mask_values(facts: Facts) -> np.ndarray:
    """The mask value of each class, in the smallest integer type for them all; or its colour, ``(classes, 3)``."""
    if facts["coloured"]:
        return unpacked(np.asarray(facts["values"], dtype=np.int64))
    values = np.asarray(facts["values"], dtype=np.int64)
    kinds = (np.uint8, np.uint16, np.int16, np.int32)
    fitting = (k for k in kinds if values[0] >= np.iinfo(k).min and values[-1] <= np.iinfo(k).max)
    return values.astype(next(fitting, np.int64))


def _plain(quantities: np.ndarray) -> np.ndarray:
    return quantities[0] if len(quantities) == 1 else quantities


def _save_map(stem: Path, values: np.ndarray, dataset: xr.Dataset) -> Path:
    flat = dataset["class"].ndim == 2 and values.dtype in PNG_TYPES
    return _save(stem.with_name(f"{stem.name}{'.png' if flat else '.tif'}"), values, dataset)


def _save(path: Path, pixels: np.ndarray, dataset: xr.Dataset) -> Path:
    write: Callable[[Path], Any]
    if path.suffix == ".png":
        image = Image.fromarray(pixels)
        write = lambda temporary: image.save(temporary, format="PNG")  # noqa: E731
    else:
        write = lambda temporary: _write_tiff(temporary, pixels, dataset)  # noqa: E731
    write_atomically(path, write)
    return path


def _write_tiff(path: Path, pixels: np.ndarray, dataset: xr.Dataset) -> None:
    dims = [str(dim) for dim in dataset["total"].dims[1:]]
    colours = pixels.ndim > len(dims) and pixels.dtype == np.uint8
    # quantities are channels, colours are samples of a pixel
    axes = ("C" if pixels.ndim > len(dims) and not colours else "") + "".join(dims).upper() + ("S" if colours else "")
    metadata: dict[str, Any] = {"axes": axes}
    if dataset.attrs.get("unit") == MICROMETRE:
        for dim, step in zip(dims, dataset.attrs["spacing"]):
            metadata |= {f"PhysicalSize{dim.upper()}": float(step), f"PhysicalSize{dim.upper()}Unit": MICROMETRE}
    tifffile.imwrite(
        path, pixels, ome=True, photometric="rgb" if colours else "minisblack", compression="zlib", metadata=metadata
    )
