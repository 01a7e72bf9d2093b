"""Predictions on disk: one ``xarray.Dataset`` an input, each a group of one Zarr v3 store."""

from __future__ import annotations

import importlib.metadata
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
from numpy.typing import NDArray
from torch import Tensor
from zarr.codecs import BloscCodec

from multiunet.errors import InputError
from multiunet.files import AnyPath
from multiunet.prediction.group_names import group_name, shorten_name
from multiunet.prediction.reading import BYTES, CHUNKS, MARK, NAME, VARIANCES, count_chunks, is_prediction
from multiunet.prediction.replaced_folder import ReplacedFolder, full_disk_in_words
from multiunet.uncertainty import Moments
from multiunet.uncertainty.statements import Statement

FLOATS = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")
"""Of simulated noisy probabilities it makes slightly less than Zarr's default (Zstandard), some four times as fast."""


SAMPLES = "sample_maps"
"""Array of an unfinished prediction: a map of each Monte-Carlo sample."""


class PredictionStore:
    """Store that appears under its name only when it is complete.

    Use it as a context manager: groups are written into a hidden folder beside it, which is renamed at the end and
    removed after an error. One process at a time predicts into a store.

    Raises:
        InputError: when ``path`` exists and is not to be overwritten, is something else than a prediction, or cannot be
            written; at the begin of the context also when another process predicts into it.
        RunError: in the context, when the disk is full; at its end, when another program wrote ``path`` in between.
    """

    def __init__(self, path: AnyPath, attrs: Mapping[str, Any] | None = None, overwrite: bool = False) -> None:
        path = Path(path)
        if path.suffix != ".zarr":
            raise InputError(f"{path}: a prediction is a Zarr folder; give it a name that ends in .zarr")
        if path.exists() and overwrite and not is_prediction(path):
            raise InputError(f"{path}: not a prediction of multiunet, so it is not overwritten; choose another name")
        self._folder = ReplacedFolder(path, overwrite)
        self.path, self._partial = path, self._folder.partial
        self._groups: set[str] = set()
        self._attrs = {MARK: importlib.metadata.version("multiunet"), **(attrs or {})}

    def __enter__(self) -> PredictionStore:
        self._folder.__enter__()
        try:
            with full_disk_in_words(self.path):
                zarr.open_group(self._partial, mode="w", zarr_format=3, attributes=self._attrs)
        except BaseException:
            self._folder.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            try:
                with full_disk_in_words(self.path):
                    self._count_chunks()
            except BaseException:
                self._folder.__exit__(*sys.exc_info())
                raise
        self._folder.__exit__(kind, error, _)

    def _count_chunks(self) -> None:
        """Record how many chunks each array has, and their bytes, so that a reader knows that all are there, whole."""
        for _, group in zarr.open_group(self._partial, mode="r+").groups():
            for _, array in group.arrays():
                array.attrs[CHUNKS], array.attrs[BYTES] = count_chunks(self._partial / array.path)

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
        statements: Sequence[Statement] = (),
        attrs: Mapping[str, Any] | None = None,
    ) -> ItemWriter:
        """Make a new group for one input.

        Args:
            names: of the channels (classes, tracks).
            dims, shape: the sites' axes.
            coords: by name, an array on the dimension of that name or ``(dimension, array)``.
            chunks: sites of a chunk by axis; whatever is written in one piece should be whole chunks.
            decided: also keep ``class``, the index of the chosen channel (CF ``flag_meanings``, names without blanks);
                with ``per_name`` one yes or no for each channel.
            statements: that are kept beside the moments, too.
        """
        place = self._free_group(name)
        located = {key: value if isinstance(value, tuple) else (key, value) for key, value in (coords or {}).items()}
        labels = xr.Dataset(coords={"channel": np.array(list(names), dtype=object), **located})
        labels.attrs = {**(attrs or {}), NAME: name}
        labels.to_zarr(self._partial, group=place, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(self._partial, path=place, mode="r+")
        sites = tuple(chunks or shape)
        kept = dict.fromkeys(("mean", *VARIANCES), "float32")
        kept |= {variable: statement.dtype for statement in statements for variable in statement.variables}
        for variable, dtype in kept.items():
            group.create_array(
                variable,
                shape=(len(names), *shape),
                chunks=(len(names), *(max(1, min(c, n)) for c, n in zip(sites, shape))),
                dtype=dtype,
                compressors=FLOATS if dtype == "float32" else "auto",
                # of one sample the epistemic variance is 0 everywhere: then nothing is written
                fill_value=False if dtype == "bool" else 0.0 if variable == "epistemic" else float("nan"),
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
        """Return the name of a group that no other has, not even where capitals are the same as small letters."""
        group = group_name(name)
        if group.casefold() in self._groups:
            group = shorten_name(group, name)
        self._groups.add(group.casefold())
        return group


class ItemWriter:
    """Writer of the pieces of one input's result."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    def write(
        self,
        region: tuple[slice, ...],
        moments: Moments[Tensor],
        decision: Tensor | None = None,
        stated: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write one region.

        Args:
            moments: ``(names, *region)``.
            decision: ``region`` or ``(names, *region)``.
            stated: variables of statements by name, ``(names, *region)``.
        """
        mean, epistemic, aleatoric = (
            part.float().cpu() for part in (moments.mean, moments.epistemic, moments.aleatoric)
        )
        # the sum of what is stored, so that the identity holds to the last bit on disk
        values = {"mean": mean, "aleatoric": aleatoric, "total": aleatoric}
        if epistemic.any():
            values |= {"epistemic": epistemic, "total": epistemic + aleatoric}
        for variable, value in {**values, **(stated or {})}.items():
            self._array(variable)[(slice(None), *region)] = value.cpu().numpy()
        if decision is not None:
            array = self._array("class")
            window = region if array.ndim == len(region) else (slice(None), *region)
            array[window] = decision.cpu().numpy().astype(array.dtype)

    def write_fractions(self, fractions: Tensor) -> None:
        """Write the share of sites that each Monte-Carlo sample decides for each name, ``(samples, names)``.

        Where samples share their masks, those of several inputs belong together sample by sample.
        """
        values = fractions.double().cpu().numpy()
        array = self._group.create_array(
            "fraction", shape=values.shape, dtype="float64", dimension_names=("sample", "channel")
        )
        array[...] = values

    def write_instances(self, instances: NDArray[np.int32]) -> None:
        """Write the number of each site's object, ``space``, 0 outside."""
        self._write_map("instance", instances, fill_value=0)

    def write_confidence(self, confidence: NDArray[np.float32]) -> None:
        """Write the share of samples in which each site's object is found, ``space``, NaN outside."""
        self._write_map("confidence", confidence, fill_value=float("nan"))

    def _write_map(self, name: str, values: NDArray[Any], fill_value: float) -> None:
        mean = self._array("mean")
        array = self._group.create_array(
            name,
            shape=values.shape,
            chunks=mean.chunks[1:],
            dtype=values.dtype.name,
            fill_value=fill_value,
            dimension_names=mean.metadata.dimension_names[1:],  # type: ignore[union-attr, index]
        )
        array[...] = values

    def open_images(self, count: int) -> None:
        """Make room for so many samples of a generator, which are part of the result."""
        mean = self._array("mean")
        self._group.create_array(
            "samples",
            shape=(count, *mean.shape),
            chunks=(1, *mean.chunks),
            dtype="float32",
            compressors=FLOATS,
            fill_value=float("nan"),
            dimension_names=("sample", *mean.metadata.dimension_names),  # type: ignore[union-attr, misc]
        )

    def write_image(self, number: int, image: Tensor) -> None:
        """Write a sample of a generator, ``(names, *space)``."""
        self._array("samples")[number] = image.float().cpu().numpy()

    def read_images(self, region: tuple[slice, ...]) -> Tensor:
        """Read a region of all samples of a generator, ``(samples, names, *region)``."""
        return torch.from_numpy(np.asarray(self._array("samples")[(slice(None), slice(None), *region)]))

    def regions(self) -> Iterator[tuple[slice, ...]]:
        """Return the chunks of the sites, which partition them."""
        mean = self._array("mean")
        edges = [range(0, size, edge) for size, edge in zip(mean.shape[1:], mean.chunks[1:])]
        for start in itertools.product(*edges):
            yield tuple(
                slice(first, min(first + edge, size))
                for first, edge, size in zip(start, mean.chunks[1:], mean.shape[1:])
            )

    def open_samples(self, count: int) -> None:
        """Make room for maps of so many Monte-Carlo samples, which are kept until ``drop_samples``."""
        mean = self._array("mean")
        self._group.create_array(
            SAMPLES,
            shape=(count, *mean.shape[1:]),
            chunks=(1, *mean.chunks[1:]),
            dtype="uint8",
            compressors=FLOATS,
            fill_value=0,
        )

    def write_sample(self, sample: int, region: tuple[slice, ...], codes: Tensor) -> None:
        """Write a region of the map of a sample: integers ``region`` below 256."""
        window: tuple[slice, ...] = (slice(sample, sample + 1), *region)
        self._array(SAMPLES)[window] = codes.to(torch.uint8).cpu().numpy()[None]

    def samples(self) -> Iterator[NDArray[np.uint8]]:
        """Read the map of each sample, ``space``, one after the other."""
        array = self._array(SAMPLES)
        for sample in range(array.shape[0]):
            yield np.asarray(array[sample], dtype=np.uint8)

    def drop_samples(self) -> None:
        """Remove the maps of samples, which are no part of a finished prediction."""
        del self._group[SAMPLES]

    def classes(self) -> NDArray[np.unsignedinteger[Any]]:
        """Return the written class of each site, ``space``, in memory."""
        return np.asarray(self._array("class")[...])

    def mean(self) -> NDArray[np.float32]:
        """Return the written means, ``(names, *space)``, in memory."""
        return np.asarray(self._array("mean")[...], dtype=np.float32)

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self._group[name]
        assert isinstance(array, zarr.Array)
        return array
