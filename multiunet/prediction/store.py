"""Predictions on disk: one ``xarray.Dataset`` an input, each a group of one Zarr v3 store."""

from __future__ import annotations

import errno
import glob
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from torch import Tensor
from zarr.codecs import BloscCodec

from multiunet.errors import InputError, RunError
from multiunet.files import AnyPath, check_creatable
from multiunet.process import is_alive
from multiunet.uncertainty import Moments

MARK = "multiunet"
"""The attribute that tells a prediction from other Zarr folders: the version that wrote it."""

FLOATS = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")
"""Of simulated noisy probabilities it makes slightly less than Zarr's default (Zstandard), some four times as fast."""

VARIANCES = ("epistemic", "aleatoric", "total")
VARIABLES = ("mean", "class", "instance", *VARIANCES, "fraction")

NAME = "name"
"""The attribute of a group that holds its input's name, which the group's own name may not spell out."""

FORBIDDEN = frozenset('"%*/:<>?\\`|')
"""In names of files, somewhere; and the sign of what is written otherwise."""

LONGEST = 200
"""Bytes of a group's name: a file's may have 255 on most systems, and exports add to it."""


class PredictionStore:
    """A store that appears under its name only when it is complete.

    Use it as a context manager: groups are written into a hidden folder of this process beside it, which is renamed at
    the end and removed after an error. What a process left there that is no more is removed, too.

    Raises:
        InputError: when ``path`` exists and is not to be overwritten, or is no prediction, or cannot be written.
        RunError: at the end of the context, when the disk was full, or another process wrote ``path`` in between.
    """

    def __init__(self, path: AnyPath, attrs: Mapping[str, Any] | None = None, overwrite: bool = False) -> None:
        path = Path(path)
        if path.suffix != ".zarr":
            raise InputError(f"{path}: a prediction is a Zarr folder; give it a name that ends in .zarr")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; pass --overwrite or another --out")
        if path.exists() and not is_prediction(path):
            raise InputError(
                f"{path}: was not written by multiunet, so it will not be overwritten; choose another --out"
            )
        check_creatable(path)
        self.path, self._overwrite = path, overwrite
        own = f".{path.name}.{os.getpid()}.{platform.node()}"
        self._partial, self._replaced = path.with_name(f"{own}.partial"), path.with_name(f"{own}.replaced")
        self._groups: set[str] = set()
        self._attrs = {MARK: importlib.metadata.version("multiunet"), **(attrs or {})}

    def __enter__(self) -> PredictionStore:
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        for left in _left_beside(self.path):
            shutil.rmtree(left, ignore_errors=True)
        zarr.open_group(self._partial, mode="w", zarr_format=3, attributes=self._attrs)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise RunError(
                    f"{self.path}: the disk is full, so nothing of the prediction is kept; free some space, or choose "
                    "another --out"
                ) from error
            return
        if self.path.exists():
            if not self._overwrite:
                shutil.rmtree(self._partial, ignore_errors=True)
                raise RunError(f"{self.path}: another process wrote it in the meantime; choose another --out")
            os.rename(self.path, self._replaced)
        os.rename(self._partial, self.path)
        shutil.rmtree(self._replaced, ignore_errors=True)

    def item(
        self,
        name: str,
        *,
        names: Sequence[str],
        dims: Sequence[str],
        shape: Sequence[int],
        coords: Mapping[str, Any] | None = None,
        chunks: Sequence[int] | None = None,
        decided: bool = False,
        per_name: bool = False,
        attrs: Mapping[str, Any] | None = None,
    ) -> ItemWriter:
        """A new group for one input.

        Args:
            names: of the channels (classes, tracks).
            dims, shape: the sites' axes.
            coords: by name, an array on the dimension of that name or ``(dimension, array)``.
            chunks: sites of a chunk by axis; whatever is written in one piece should be whole chunks.
            decided: also keep ``class``, the index of the chosen channel (CF ``flag_meanings``, names without blanks);
                with ``per_name`` one yes or no for each channel.
        """
        place = self._free_group(name)
        located = {key: value if isinstance(value, tuple) else (key, value) for key, value in (coords or {}).items()}
        labels = xr.Dataset(coords={"channel": np.array(list(names), dtype=object), **located})
        labels.attrs = {**(attrs or {}), NAME: name}
        labels.to_zarr(self._partial, group=place, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(self._partial, path=place, mode="r+")
        sites = tuple(chunks or shape)
        for variable in ("mean", *VARIANCES):
            group.create_array(
                variable,
                shape=(len(names), *shape),
                chunks=(len(names), *(max(1, min(c, n)) for c, n in zip(sites, shape))),
                dtype="float32",
                compressors=FLOATS,
                # of one sample it is 0 everywhere: then nothing is written
                fill_value=0.0 if variable == "epistemic" else float("nan"),
                dimension_names=("channel", *dims),
            )
        if decided:
            group.create_array(
                "class",
                shape=(len(names), *shape) if per_name else tuple(shape),
                chunks=(*((len(names),) if per_name else ()), *(max(1, min(c, n)) for c, n in zip(sites, shape))),
                dtype="uint8" if len(names) <= 256 else "uint16",
                fill_value=0,
                dimension_names=("channel", *dims) if per_name else tuple(dims),
                # blanks part the names
                attributes={
                    "flag_values": list(range(len(names))),
                    "flag_meanings": " ".join("_".join(name.split()) for name in names),
                },
            )
        return ItemWriter(group)

    def _free_group(self, name: str) -> str:
        """The name of a group that no other has, not even where capitals are the same as small letters."""
        group = group_name(name)
        if group.casefold() in self._groups:
            group = _marked(group, name)
        self._groups.add(group.casefold())
        return group


class ItemWriter:
    """Writes pieces of one input's result."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    def write(self, region: tuple[slice, ...], moments: Moments[Tensor], decision: Tensor | None = None) -> None:
        """``moments``: ``(names, *region)``; ``decision``: ``region`` or ``(names, *region)``."""
        mean, epistemic, aleatoric = (
            part.float().cpu() for part in (moments.mean, moments.epistemic, moments.aleatoric)
        )
        # the sum of what is stored, so that the identity holds to the last bit on disk
        values = {"mean": mean, "aleatoric": aleatoric, "total": aleatoric}
        if epistemic.any():
            values |= {"epistemic": epistemic, "total": epistemic + aleatoric}
        for variable, value in values.items():
            self._array(variable)[(slice(None), *region)] = value.numpy()
        if decision is not None:
            array = self._array("class")
            window = region if array.ndim == len(region) else (slice(None), *region)
            array[window] = decision.cpu().numpy().astype(array.dtype)

    def write_fractions(self, fractions: Tensor) -> None:
        """``(samples, names)``: of the sites, the share that each Monte-Carlo sample decides for each name.

        Where samples share their masks, those of several inputs belong together sample by sample.
        """
        values = fractions.double().cpu().numpy()
        array = self._group.create_array(
            "fraction", shape=values.shape, dtype="float64", dimension_names=("sample", "channel")
        )
        array[...] = values

    def write_instances(self, instances: NDArray[np.int32]) -> None:
        """``space``: the number of each site's object, 0 outside."""
        mean = self._array("mean")
        array = self._group.create_array(
            "instance",
            shape=instances.shape,
            chunks=mean.chunks[1:],
            dtype="int32",
            fill_value=0,
            dimension_names=mean.metadata.dimension_names[1:],  # type: ignore[union-attr, index]
        )
        array[...] = instances

    def mean(self) -> NDArray[np.float32]:
        """What was written of ``mean``, ``(names, *space)``, in memory."""
        return np.asarray(self._array("mean")[...], dtype=np.float32)

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self._group[name]
        assert isinstance(array, zarr.Array)
        return array


def group_name(name: str) -> str:
    """A name that one group or file can have, and of its own for each name: what a file's may hold stays as it is.

    >>> group_name("grain 1.a"), group_name("粒界"), group_name("HLA/A*01"), group_name("..")
    ('grain 1.a', '粒界', 'HLA%2FA%2A01', '%2E.')
    """
    normal = unicodedata.normalize("NFC", name)  # macOS takes letters apart
    plain = "".join(c if c.isprintable() and c not in FORBIDDEN else _quoted(c) for c in normal)
    if plain.startswith((".", "__")) or plain == "zarr.json":
        plain = _quoted(plain[0]) + plain[1:]
    return plain if len(plain.encode()) <= LONGEST else _marked(plain, name)


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def _marked(group: str, name: str) -> str:
    """A group's name, cut off if it is long, with a digest of what it stands for."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{group.encode()[: LONGEST - 9].decode(errors='ignore')}~{digest}"


def _left_beside(path: Path) -> list[Path]:
    """What processes that are no more, or this one, were writing for ``path``."""
    left = []
    for found in path.parent.glob(f".{glob.escape(path.name)}.*"):
        known = re.fullmatch(r"(\d+)\.(.*)\.(partial|replaced)", found.name[len(path.name) + 2 :])
        if known is None:
            continue
        since = datetime.fromtimestamp(found.stat().st_mtime).astimezone().isoformat()
        words = f"process {known[1]} on {known[2]} since {since}"
        if int(known[1]) == os.getpid() or is_alive(words) is False:
            left.append(found)
    return left


def is_prediction(path: Path) -> bool:
    """Whether a ``PredictionStore`` wrote it."""
    return MARK in attrs_of(path)


def attrs_of(path: Path) -> dict[str, Any]:
    """What a Zarr folder says of itself, of a prediction among others its ``task``; of anything else nothing."""
    try:
        return dict(json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def open_prediction(path: AnyPath) -> dict[str, xr.Dataset]:
    """The datasets of a stored prediction by input, read lazily.

    Raises:
        InputError: when ``path`` is not a stored prediction, or a damaged one.
    """
    path = Path(path)
    if not (path / "zarr.json").is_file():
        raise InputError(f"{path}: no prediction here (no zarr.json); `multiunet predict` writes one")
    if not is_prediction(path):
        raise InputError(f"{path}: no prediction here (its zarr.json is of another program, or damaged)")
    try:
        return _datasets(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: the prediction cannot be read ({error}); it is damaged, so predict anew") from error


def _datasets(path: Path) -> dict[str, xr.Dataset]:
    found = {}
    for group in sorted(name for name, _ in zarr.open_group(path, mode="r").groups()):
        data = xr.open_zarr(path, group=group, consolidated=False, chunks=None)
        # arrays are found in no fixed order, and the order of a dataset's dimensions is that of its variables
        found[str(data.attrs[NAME])] = data[[variable for variable in VARIABLES if variable in data]]
    return found
