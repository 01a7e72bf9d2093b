"""Predictions as image files: class maps in the values of the masks, uncertainty, quantities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from multiunet.domains.image.config import ExportKind
from multiunet.domains.image.files.lazy import WHOLE, Lazy, Pixels, Region, iter_blocks, map_values, reduce_channels
from multiunet.domains.image.files.masks import colour_name, pack_colours, unpack_colours
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.tiff_files import write_tiff
from multiunet.domains.reading import reading
from multiunet.domains.report.colours import pick_colours
from multiunet.errors import InputError
from multiunet.files import csv_text, write_atomically, write_text
from multiunet.prediction import open_datasets
from multiunet.prediction.group_names import FreeNames, group_name

PNG_TYPES = (np.uint8, np.uint16)

VARIANCES = {"uncertainty": "total", "epistemic": "epistemic", "aleatoric": "aleatoric"}
"""Kinds of files, and which variance of a stored prediction is in them."""

KINDS: dict[str, tuple[ExportKind, ...]] = {
    "classes": ("class", "uncertainty", "probabilities", "epistemic", "aleatoric", "confidence"),
    "instances": ("class", "instance", "uncertainty", "probabilities", "epistemic", "aleatoric", "confidence"),
    "labels": ("class", "uncertainty", "probabilities", "epistemic", "aleatoric"),
    "pictures": ("restored", "mean", "uncertainty", "epistemic", "aleatoric"),
    "quantities": ("mean", "uncertainty", "epistemic", "aleatoric"),
}
"""Files of each kind of target; by default the first ones, up to the uncertainty."""

STATED: dict[ExportKind, tuple[str, ...]] = {"set": ("set",), "interval": ("lower", "upper")}
"""Kinds of files of those predictions alone that have these variables; then they are written by default."""


def export(prediction: Path, folder: Path, info: ImageInfo, kinds: Sequence[ExportKind] | None = None) -> list[Path]:
    """Write the files of each predicted image into ``folder``; return them.

    STEM is the image's name; where it is long, or differs from another's in capitals alone, it ends with a digest.

    - ``STEM_class.png``: for each pixel the mask value of its class, of the type that the masks needed, or its colour
      (a volume, a large image, or values that PNG has not: ``STEM_class.tif``). 8-bit values are the indices of a
      palette, so that they can be seen and read. ``legend.csv`` has each value, its colour, its share of all pixels;
    - of classes that may overlap, ``STEM_CLASS.png`` (``.tif`` as above) for each class: 255 where it is, 0 elsewhere;
      their variances, too, are a channel for each class, and there is no ``legend.csv``;
    - ``STEM_instance.png`` (``.tif`` as above): of masks that number objects, the object of each pixel, 1, 2, ...; 0
      outside; 16 bits, or 32 where these are too few;
    - ``STEM_probabilities.tif``: float32, a channel for each class;
    - ``STEM_mean.tif``: float32 quantities, in the target's units; several are channels;
    - ``STEM_restored.png`` (``.tif`` as above): of restored images of 8 or 16 bits the mean, rounded and cut off at the
      ends of their type;
    - ``STEM_uncertainty.tif``: float32 total variance. Of quantities, in their units squared; of classes, summed over
      them, which is ``1 - sum p^2``: the probability that two draws from the prediction differ, 0 to ``1 - 1 / K``;
    - ``STEM_epistemic.tif``, ``STEM_aleatoric.tif``: the two parts of it;
    - ``STEM_lower.tif``, ``STEM_upper.tif``: ends of the interval of each quantity, as ``STEM_mean.tif``;
    - ``STEM_set.tif``: a channel for each class, 255 where it is in the pixel's set, 0 elsewhere: one file, which also
      volumes and large images have, and whose channels carry the names. ``STEM_set_size.png`` (``.tif`` as above): how
      many classes are in it, as indices of a palette from black (one class) to white (all).
    - ``STEM_confidence.tif``: float32, the share of Monte-Carlo samples that find the object of each pixel, or the
      connected part of its class; NaN outside of objects. Images without it (too large) have no such file.

    TIFF is written strip by strip, so nothing need fit into memory.

    Args:
        kinds: of files, among those of the task in ``KINDS`` and what the prediction has of ``STATED``; None: up to the
            uncertainty, and all of these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _kinds(info)
    written, counts = [], np.zeros(0 if info.regression else len(info.mapped_values), dtype=np.int64)
    opened = open_datasets(prediction)
    stated = [kind for kind, (first, *_) in STATED.items() if all(first in item for item in opened.values())]
    chosen = [*known[: known.index("uncertainty") + 1], *stated] if kinds is None else list(dict.fromkeys(kinds))
    stems, labels = FreeNames(), FreeNames()
    for name, dataset in opened.items():
        stem = stems.give(name, name)
        for kind in chosen:
            if kind == "class" and info.overlapping is not None:
                written += _export_labels(folder, stem, dataset, labels)
            else:
                written += _export_kind(kind, folder, stem, dataset, info)
        if "class" in chosen and info.overlapping is None:
            counts += _count_classes(dataset, len(counts))
    if "class" in chosen and info.overlapping is None:
        written.append(folder / "legend.csv")
        write_text(written[-1], format_legend(info, counts))
    return written


def _export_kind(kind: ExportKind, folder: Path, name: str, dataset: xr.Dataset, info: ImageInfo) -> list[Path]:
    """Write the files of one kind of an image; return them."""
    if kind == "class":
        return [_export_classes(folder / f"{name}_class", _stored(dataset, "class"), dataset, info)]
    if kind == "instance":
        return [_save_map(folder / f"{name}_instance", _instances(dataset), dataset)]
    if kind == "set":
        return _export_sets(folder, name, dataset)
    if kind == "interval":
        ends = {end: _plain(_float32(dataset, end)) for end in STATED[kind]}
        return [_save(folder / f"{name}_{end}.tif", values, dataset) for end, values in ends.items()]
    if kind == "restored":
        return [_export_restored(folder / f"{name}_restored", dataset, info)]
    if kind == "confidence":
        known = "confidence" in dataset
        return [_save(folder / f"{name}_{kind}.tif", _stored(dataset, kind), dataset)] if known else []
    return [_save(folder / f"{name}_{kind}.tif", _floats(kind, dataset, info), dataset)]


def _count_classes(dataset: xr.Dataset, count: int) -> NDArray[np.int64]:
    """Return the pixels of each class in an image's map."""
    classes, counts = _stored(dataset, "class"), np.zeros(count, dtype=np.int64)
    for region in iter_blocks(classes):
        counts += np.bincount(classes[region].ravel(), minlength=count)
    return counts


def check_kinds(kinds: Sequence[ExportKind] | None, info: ImageInfo) -> None:
    """Check that these files can be written of predictions of this run.

    Raises:
        InputError: naming the first that cannot.
    """
    known = _kinds(info)
    for kind in kinds or ():
        if kind not in known and kind not in STATED:
            raise InputError(f"`export_what={kind}`: this run predicts {info.target.kind}; it has {', '.join(known)}")


def _kinds(info: ImageInfo) -> tuple[ExportKind, ...]:
    if info.restoration is not None and _picture_type(info) is not None:
        return KINDS["pictures"]
    return KINDS["instances" if info.instances else info.target.kind]


def _picture_type(info: ImageInfo) -> np.dtype[Any] | None:
    """Return the type of the training images where that is one of 8 or 16 bits."""
    kinds = [np.dtype(name) for name in info.fingerprint.numbers]
    return kinds[0] if len(kinds) == 1 and kinds[0] in PNG_TYPES else None


def format_legend(info: ImageInfo, counts: NDArray[np.int64]) -> str:
    """Return a CSV with the mask value (or colour), name, shown colour and share of pixels of each class.

    Args:
        counts: pixels of each class.
    """
    colours = get_mask_values(info) if info.segmented.coloured else pick_colours(len(counts))
    values = [colour_name(value) for value in info.values] if info.segmented.coloured else info.mapped_values
    shown = (colour_name(int(pack_colours(colour[:, None])[0])) for colour in colours)
    shares = (f"{share:.6f}" for share in counts / counts.sum())
    return csv_text([("value", "name", "colour", "share"), *zip(values, info.mapped.names, shown, shares)])


def _stored(dataset: xr.Dataset, name: str) -> Lazy:
    """Rows of it are read at once: in their order they are written."""
    variable = dataset[name]
    chunk = (*(1,) * (variable.ndim - 1), variable.shape[-1])

    def read(region: Region) -> np.ndarray:
        with reading(f"{dataset.encoding.get('source', 'prediction')}: {name}"):
            values: np.ndarray = variable[region].values
        return values

    return Lazy(variable.shape, variable.dtype, read, chunk)


def _export_classes(stem: Path, classes: Lazy, dataset: xr.Dataset, info: ImageInfo) -> Path:
    values = get_mask_values(info)
    palette = None
    if values.ndim == 1 and values.dtype == np.uint8:
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[values] = pick_colours(len(values))
    return _save_map(stem, _named(classes, values), dataset, palette)


def _export_labels(folder: Path, name: str, dataset: xr.Dataset, free: FreeNames) -> list[Path]:
    """Write a mask of each class that may overlap others: 255 where it is, 0 elsewhere.

    Args:
        free: that gives names to all such files: ``a_b`` with the class ``c`` is not ``a`` with the class ``b_c``.
    """
    classes, written = _stored(dataset, "class"), []
    for place, own in enumerate(str(channel) for channel in dataset["channel"].values):

        def read(region: Region, place: int = place) -> np.ndarray:
            inside: np.ndarray = classes.read((slice(place, place + 1), *region))[0]
            return inside.astype(np.uint8) * np.uint8(255)

        mask = Lazy(classes.shape[1:], np.dtype(np.uint8), read, classes.chunk[1:])
        stem = free.give(f"{name}_{group_name(own)}", f"{name}/{own}")
        written.append(_save_map(folder / stem, mask, dataset))
    return written


def _export_sets(folder: Path, name: str, dataset: xr.Dataset) -> list[Path]:
    """Write which classes are in each pixel's set, and how many."""
    sets = _stored(dataset, "set")
    planes = map_values(sets, lambda block: block.astype(np.uint8) * 255, np.uint8)
    kind = np.uint8 if sets.shape[0] <= np.iinfo(np.uint8).max else np.uint16
    sizes = reduce_channels(sets, lambda block: block.sum(axis=0, dtype=kind), kind)
    shades = np.clip((np.arange(256) - 1) * 255 // max(1, sets.shape[0] - 1), 0, 255).astype(np.uint8)
    palette = shades[:, None].repeat(3, axis=1) if kind == np.uint8 else None
    return [
        _save(folder / f"{name}_set.tif", planes, dataset),
        _save_map(folder / f"{name}_set_size", sizes, dataset, palette),
    ]


def _export_restored(stem: Path, dataset: xr.Dataset, info: ImageInfo) -> Path:
    kind = _picture_type(info)
    assert kind is not None  # others have no such file
    ends = np.iinfo(kind)
    mean = _stored(dataset, "mean").map_values(lambda block: np.rint(block).clip(ends.min, ends.max).astype(kind), kind)
    if mean.shape[0] == 1:
        return _save_map(stem, reduce_channels(mean, lambda block: block[0], kind), dataset)
    if info.colour != "rgb":
        return _save(stem.with_name(f"{stem.name}.tif"), mean, dataset)
    last = Lazy(
        (*mean.shape[1:], 3),
        kind,
        lambda region: np.moveaxis(mean.read((region[-1], *region[:-1])), 0, -1),
        (*mean.chunk[1:], 3),
    )
    return _save_map(stem, last, dataset)


def _instances(dataset: xr.Dataset) -> Pixels:
    """The objects' numbers in the smallest type that has them all."""
    numbers = _stored(dataset, "instance")
    most = max(int(numbers[region].max()) for region in iter_blocks(numbers))
    kind = np.uint16 if most <= np.iinfo(np.uint16).max else np.int32
    return map_values(numbers, lambda block: block.astype(kind, copy=False), kind)


def _named(classes: Lazy, values: np.ndarray) -> Pixels:
    """A map of classes as their mask values, or as their colours, which make one axis more."""
    if values.ndim == 1:
        return map_values(classes, values.__getitem__, values.dtype)
    shape, chunk = (*classes.shape, values.shape[1]), (*classes.chunk, values.shape[1])
    return Lazy(shape, values.dtype, lambda region: values[classes.read(region[:-1])], chunk)


def _floats(kind: str, dataset: xr.Dataset, info: ImageInfo) -> Pixels:
    """Probabilities or quantities ``(names, *space)``, or a variance; of classes ``space``, their sum. float32.

    Of classes that may overlap each has its own variance.
    """
    values = _float32(dataset, VARIANCES.get(kind, "mean"))
    if kind in VARIANCES and not info.regression and info.overlapping is None:
        return reduce_channels(values, lambda block: block.sum(axis=0), np.float32)
    return values if kind == "probabilities" else _plain(values)


def _float32(dataset: xr.Dataset, name: str) -> Lazy:
    return _stored(dataset, name).map_values(lambda block: block.astype(np.float32, copy=False), np.float32)


def get_mask_values(info: ImageInfo) -> np.ndarray:
    """Return the mask value of each class in the smallest integer type, or its colour, ``(classes, 3)``."""
    if info.segmented.coloured:
        return unpack_colours(np.asarray(info.values, dtype=np.int64))
    values = np.asarray(info.mapped_values, dtype=np.int64)
    kinds = (np.uint8, np.uint16, np.int16, np.int32)
    fitting = (k for k in kinds if values.min() >= np.iinfo(k).min and values.max() <= np.iinfo(k).max)
    return values.astype(next(fitting, np.int64))


def _plain(quantities: Lazy) -> Pixels:
    return reduce_channels(quantities, lambda block: block[0], np.float32) if quantities.shape[0] == 1 else quantities


def _save_map(stem: Path, pixels: Pixels, dataset: xr.Dataset, palette: NDArray[np.uint8] | None = None) -> Path:
    """Write as PNG where that can hold the image and it is not large."""
    space = dataset["total"].shape[1:]
    flat = len(space) == 2 and pixels.dtype in PNG_TYPES and math.prod(space) <= WHOLE
    flat = flat and "georeference" not in dataset.attrs  # which PNG has no place for
    return _save(stem.with_name(f"{stem.name}{'.png' if flat else '.tif'}"), pixels, dataset, palette)


def _save(path: Path, pixels: Pixels, dataset: xr.Dataset, palette: NDArray[np.uint8] | None = None) -> Path:
    """``palette``: colours ``(256, 3)`` of 8-bit indices."""
    write: Callable[[Path], Any]
    if path.suffix == ".png":
        image = Image.fromarray(pixels[...])
        if palette is not None:
            image.putpalette(palette.tobytes())
        write = lambda temporary: image.save(temporary, format="PNG")  # noqa: E731
    else:
        write = lambda temporary: write_tiff(temporary, pixels, dataset, palette)  # noqa: E731
    write_atomically(path, write)
    return path
