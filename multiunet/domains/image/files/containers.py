"""HDF5, Zarr (OME-Zarr too) and NIfTI: which array, which axis is which, and how far apart pixels are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.lazy import MOST, Lazy, Region, check_fits
from multiunet.domains.image.files.tiff import Stack, Wanted
from multiunet.domains.image.files.units import MICROMETRE, micrometres
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

LABELS = ("label", "labels", "mask", "masks", "segmentation", "seg", "gt", "ground_truth")
NAMES: dict[Wanted, tuple[str, ...]] = {
    "image": ("raw", "image", "images", "data", "volume", "exported_data"),
    "labels": LABELS,
    "target": ("target", "targets", "prediction", "predictions", *LABELS),
}
"""What the array of a file is called that holds several, lower case, the likelier first."""

MOST_CHANNELS = 4
"""An array of four axes has its channels first or last, at most so many."""

COLOURS = (3, 4)
SHORTEST = 16
"""The last of three axes is one of channels if it has 3 or 4 sites, and the others at least so many."""


def split_place(path: Path) -> tuple[Path, str]:
    """A file, and the place inside it that ``FILE.h5:/place`` or ``FILE.zarr:/place`` names; empty where none is named.

    >>> split_place(Path("a/b.h5:/volumes/raw"))
    (PosixPath('a/b.h5'), 'volumes/raw')
    >>> split_place(Path("a/b.h5"))
    (PosixPath('a/b.h5'), '')
    """
    found = re.fullmatch(r"(.+\.(?:h5|hdf5|zarr)):/*(.+)", str(path), re.IGNORECASE)
    return (path, "") if found is None else (Path(found[1]), found[2])


def read_hdf5(path: Path, wanted: Wanted) -> Stack:
    """The one array of a file, or the one with a usual name; its attribute ``element_size_um`` is the spacing.

    Raises:
        InputError: when it is not clear which array is meant, or its axes are not y, x; z, y, x; or those and channels.
    """
    import h5py

    where, inside = split_place(path)
    with h5py.File(where, "r") as file:
        found: dict[str, Any] = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        array = _chosen(path, _below(path, found, inside), wanted)
        spacing = [float(step) for step in np.ravel(array.attrs.get("element_size_um", []))]
        shape, name = array.shape, array.name
        chunk = array.chunks or (*(1,) * (len(shape) - 1), shape[-1])
        dtype = array.dtype

    def read(region: Region) -> np.ndarray:
        with h5py.File(where, "r") as file:
            window: np.ndarray = file[name][region]
            return window

    return _unnamed(path, Lazy(shape, dtype, read, chunk), spacing, wanted)


def read_zarr(path: Path, wanted: Wanted) -> Stack:
    """An array, the finest level of an OME-Zarr image, or the array of a group with a usual name; of what
    bioformats2raw wrote, the one image.

    Where labels are wanted, those inside an OME-Zarr image come before the image itself.

    Raises:
        InputError: when it is not clear which array is meant, or its axes are not y, x; z, y, x; or those and channels.
    """
    import zarr

    where, inside = split_place(path)
    root: Any = zarr.open(where / inside, mode="r")
    if isinstance(root, zarr.Array):
        return _unnamed(path, _of_zarr(root), [], wanted)
    attributes: dict[str, Any] = dict(root.attrs)
    ome = attributes.get("ome", attributes)
    if isinstance(ome, Mapping) and "multiscales" in ome:
        own = sorted(root["labels"].group_keys()) if wanted == "labels" and "labels" in root else []
        if len(own) > 1:
            first = _inside(path, f"labels/{own[0]}")
            raise InputError(f"{path}: holds the labels {', '.join(own)}; name one of them, as {first}")
        if own:
            return read_zarr(_inside(path, f"labels/{own[0]}"), wanted)
        return _read_ome(path, root, ome["multiscales"][0])
    arrays, groups = dict(root.arrays()), sorted(set(root.group_keys()) - {"OME"})
    if not arrays and len(groups) == 1 and any("bioformats2raw.layout" in known for known in (attributes, ome)):
        return read_zarr(_inside(path, groups[0]), wanted)
    if not arrays and groups:
        raise InputError(
            f"{path}: holds the groups {', '.join(groups[:9])}; name what is meant, as {_inside(path, groups[0])}"
        )
    return _unnamed(path, _of_zarr(_chosen(path, arrays, wanted)), [], wanted)


def _inside(path: Path, place: str) -> Path:
    """A place in a file, or below a place in it."""
    where, above = split_place(path)
    return Path(f"{where}:/{above}/{place}" if above else f"{where}:/{place}")


def _of_zarr(array: Any) -> Lazy:
    return Lazy(array.shape, array.dtype, lambda region: np.asarray(array[region]), array.chunks)


def read_nifti(path: Path) -> Stack:
    """A NIfTI image or volume; axes x, y, z as in the file become z, y, x. A compressed one is read whole.

    Raises:
        InputError: for a series of volumes, or pixels that are no numbers.
    """
    import nibabel
    from nibabel.openers import ImageOpener

    image: Any = nibabel.load(path)
    proxy = image.dataobj
    if proxy.dtype.kind not in "buif":
        raise InputError(f"{path}: pixels of type {proxy.dtype}; give integers or floats")
    if path.name.lower().endswith(".gz") and math.prod(proxy.shape) <= MOST:
        check_fits(path, "a compressed volume", 2 * math.prod(proxy.shape) * proxy.dtype.itemsize)
        values = Lazy.of(np.asanyarray(proxy))
    else:
        dtype = np.asarray(proxy[(slice(0, 1),) * len(proxy.shape)]).dtype  # of the scaled values
        # the first axis is contiguous in the file
        chunk = (proxy.shape[0], *(1,) * (len(proxy.shape) - 1))
        values = Lazy(tuple(proxy.shape), dtype, lambda region: np.asarray(proxy[region]), chunk)
    with ImageOpener(path) as file:  # nibabel corrects voxel sizes that cannot be
        header = type(image.header).from_fileobj(file, check=False)
    steps = [float(step) for step in header["pixdim"][1 : 1 + values.ndim]]
    while values.ndim > 2 and values.shape[-1] == 1:
        values, steps = values.squeeze((values.ndim - 1,)), steps[: values.ndim - 1]
    if values.ndim not in (2, 3):
        raise InputError(f"{path}: axes {values.shape}; give one image or volume a file")
    # NIfTI's own default is millimetres
    factor = {"micron": 1.0, "meter": 1e6}.get(image.header.get_xyzt_units()[0], 1e3)
    return _stack(
        path,
        values.transpose(range(values.ndim)[::-1]),
        [step * factor for step in reversed(steps[: values.ndim])],
        MICROMETRE,
    )


def orientation_of(path: Path) -> str | None:
    """Where the axes x, y, z of a NIfTI file point, such as ``RAS``; None where it does not say, or is another file."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return None
    import nibabel

    try:
        image: Any = nibabel.load(path)
        stated = image.header["sform_code"] > 0 or image.header["qform_code"] > 0
        return "".join(nibabel.orientations.aff2axcodes(image.affine)) if stated else None
    except Exception:  # damaged: reading its pixels says so
        return None


READERS: dict[str, Callable[[Path, Wanted], Stack]] = {
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".zarr": read_zarr,
    ".nii": lambda path, wanted: read_nifti(path),
    ".nii.gz": lambda path, wanted: read_nifti(path),
}
"""By ending."""


def _read_ome(path: Path, root: Any, scales: Mapping[str, Any]) -> Stack:
    """https://ngff.openmicroscopy.org, 0.4 and 0.5: the finest level is the first."""
    level = scales["datasets"][0]
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in scales["axes"]]
    steps = [1.0] * len(axes)
    for change in [*level.get("coordinateTransformations", []), *scales.get("coordinateTransformations", [])]:
        if change["type"] == "scale":
            steps = [a * float(b) for a, b in zip(steps, change["scale"])]
    values, names = _of_zarr(root[level["path"]]), [str(axis["name"]).lower() for axis in axes]
    single = tuple(i for i, name in enumerate(names) if values.shape[i] == 1 and name not in "yx")
    kept = [i for i in range(len(names)) if i not in single]
    values, names = values.squeeze(single), [names[i] for i in kept]
    if not {"y", "x"} <= set(names) <= {"c", "z", "y", "x"}:
        raise InputError(f"{path}: axes {names} {values.shape}; needed are y, x, maybe z and c, and one point in time")
    order = [names.index(name) for name in "czyx" if name in names]
    space = [kept[i] for i in order if names[i] != "c"]
    factors = [micrometres(axes[i].get("unit", "")) for i in space]
    spacing = [] if None in factors else [steps[i] * factor for i, factor in zip(space, factors) if factor is not None]
    values = values.transpose(order)
    channels = values if "c" in names else values.add_channel()
    return Stack(channels, False, tuple(spacing) or None, MICROMETRE if spacing else None)


def _below(path: Path, arrays: Mapping[str, Any], inside: str) -> Mapping[str, Any]:
    """The arrays at or below a place in a file."""
    found = {name: array for name, array in arrays.items() if f"{name}/".startswith(f"{inside}/" if inside else "")}
    if arrays and not found:
        raise InputError(f"{path}: no such array; the file holds {', '.join(sorted(arrays)[:9])}")
    return found


def _chosen(path: Path, arrays: Mapping[str, Any], wanted: Wanted) -> Any:
    """The array that is meant."""
    candidates = {name: array for name, array in arrays.items() if len(array.shape) >= 2}
    if not candidates:
        raise InputError(f"{path}: holds no array of two axes or more")
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    for usual in NAMES[wanted]:
        named = [array for name, array in candidates.items() if name.rpartition("/")[2].lower() == usual]
        if len(named) == 1:
            return named[0]
    raise InputError(
        f"{path}: holds {len(candidates)} arrays ({', '.join(sorted(candidates)[:5])}); name one, as "
        f"{_inside(path, min(candidates))}, or call the {wanted} {NAMES[wanted][0]!r}"
    )


def _unnamed(path: Path, values: Lazy, spacing: Sequence[float], wanted: Wanted) -> Stack:
    """As ``_stack``, of an array whose file does not say what its axes are; distances in micrometres."""
    shape = [n for n in values.shape if n > 1]
    doubtful = len(shape) == 3 and shape[0] <= MOST_CHANNELS and min(shape[1:]) >= SHORTEST
    if wanted == "image" and doubtful and len(spacing) < 3:
        remark(
            f"{path}: axes {values.shape}; the first is taken for the {shape[0]} sections of a volume; if it is of "
            "channels, save it as the last"
        )
    return _stack(path, values, spacing, MICROMETRE if spacing else None)


def _stack(path: Path, values: Lazy, spacing: Sequence[float], unit: str | None) -> Stack:
    """``(y, x)``, ``(z, y, x)``, or either with a short axis of channels first or last. Axes of one site go."""
    values, spacing = _without_single(values, spacing)
    if values.ndim == 4 and min(values.shape[0], values.shape[-1]) <= MOST_CHANNELS:
        channels = values if values.shape[0] <= values.shape[-1] else values.transpose((3, 0, 1, 2))
    elif values.ndim == 3 and values.shape[-1] in COLOURS and min(values.shape[:2]) >= SHORTEST:
        remark(f"{path}: axes {values.shape}; the last is taken for the channels of an image, not for a side")
        return Stack(values.transpose((2, 0, 1)), True, *_known(spacing[:2], unit, 2))
    elif values.ndim in (2, 3):
        channels = values.add_channel()
    else:
        raise InputError(f"{path}: axes {values.shape}; give y, x; z, y, x; or those of a volume and its channels")
    return Stack(channels, False, *_known(spacing, unit, channels.ndim - 1))


def _known(spacing: Sequence[float], unit: str | None, axes: int) -> tuple[tuple[float, ...] | None, str | None]:
    """Distances and their unit, where there is one for each axis."""
    return (tuple(spacing), unit) if len(spacing) == axes else (None, None)


def _without_single(values: Lazy, spacing: Sequence[float]) -> tuple[Lazy, Sequence[float]]:
    """Without axes of one site, as long as two are left, and without their distances."""
    single = [axis for axis, n in enumerate(values.shape) if n == 1][: max(0, values.ndim - 2)]
    if len(spacing) == values.ndim:
        spacing = [step for axis, step in enumerate(spacing) if axis not in single]
    return (values.squeeze(single) if single else values), spacing
