"""Pieces of one input's prediction, written into its group of a store."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor

from multiunet.files import sync_file, sync_tree, write_text
from multiunet.prediction.ledger import Ledger
from multiunet.prediction.new_files import (
    ABOUT,
    Files,
    array_files,
    attrs_of,
    dims_of,
    group_text,
    open_stored,
    value_files,
    write_files,
)
from multiunet.prediction.ome import LABELS, LEVEL, list_labels, make_label
from multiunet.uncertainty import Moments

SAMPLES = "sample_maps"
"""Array of an unfinished prediction: maps of each Monte-Carlo sample, ``(samples, layers, *space)``."""

Region = tuple[slice, ...]
"""Sites of a window, by axis."""


class ItemWriter:
    """Writer of the pieces of one input's result.

    Args:
        root: folder of the store.
        place: name of the group in it.
        ledger: says which pieces are written already; None: none is.
    """

    def __init__(self, root: Path, place: str, ledger: Ledger | None) -> None:
        self._folder, self._place, self._ledger = root / place, place, ledger
        self._noted: list[Any] = []
        self._opened: dict[str, zarr.Array[Any]] = {}
        self._shown = (self._folder / LABELS).exists()  # copies for viewers

    @property
    def is_due(self) -> bool:
        """True once all regions are written, until what is made of the whole input is, too."""
        return self._ledger is None or (self._ledger.joins and not self._ledger.is_finished(self._place))

    def is_claimed(self, place: int) -> bool:
        """Return whether something is for this process to write, and the input not finished.

        Args:
            place: of it among all of the store, by which parts share these out.
        """
        ledger = self._ledger
        return ledger is None or ((ledger.joins or ledger.part.claims(place)) and not ledger.is_finished(self._place))

    def is_left(self, region: Region, place: int) -> bool:
        """Return whether a region is for this process to write, and not yet written; see ``is_claimed``."""
        written = self._ledger is not None and self._ledger.has(self._place, starts_of(region))
        return self.is_claimed(place) and not written

    def note(self, region: Region, counts: Any = None) -> None:
        """Record that a region is written.

        Args:
            counts: what else is to be known of it at the end, plain JSON.
        """
        if self._ledger is None:
            self._noted.append(counts)
        else:
            self._ledger.note(self._place, starts_of(region), counts, partial(self._sync, region))

    def noted(self) -> Iterator[Any]:
        """Return what is known of each region that was recorded."""
        return iter(self._noted) if self._ledger is None else self._ledger.counts(self._place)

    def finish(self) -> None:
        """Record that nothing is left to do of the input."""
        if self._ledger is not None:
            self._ledger.finish(self._place, partial(sync_tree, self._folder))
            self._ledger.save()
        if (samples := self._folder / SAMPLES).exists():
            shutil.rmtree(samples)

    def _sync(self, region: Region) -> None:
        """Flush the chunks of a region to disk."""
        for name, array in self._arrays():
            before = array.ndim - len(region)
            if before < 0 or array.shape[before:] != self._array("mean").shape[1:]:
                continue  # no array of the sites
            whole = tuple(slice(0, size) for size in array.shape[:before])
            for chunk in chunks_in((*whole, *region), array.chunks):
                file = self._folder.joinpath(name, "c", *map(str, chunk))
                if file.exists():  # one that holds its fill value alone is not written
                    sync_file(file)

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
            decided = decision.cpu().numpy().astype(array.dtype)
            array[window] = decided
            if self._shown:
                self._array(f"{LABELS}/class/{LEVEL}")[window] = decided

    def write_fractions(self, fractions: Tensor) -> None:
        """Write the share of sites that each Monte-Carlo sample decides for each name, ``(samples, names)``.

        Where samples share their masks, those of several inputs belong together sample by sample.
        """
        self._write_new("fraction", value_files(fractions.double().cpu().numpy(), ("sample", "channel")))

    def write_instances(self, instances: NDArray[np.int32]) -> None:
        """Write the number of each site's object, ``space``, 0 outside."""
        self.make_instances()
        self.write_values("instance", (slice(None),) * instances.ndim, instances)

    def write_confidence(self, confidence: NDArray[np.float32]) -> None:
        """Write the share of samples in which each site's object is found, ``space``, NaN outside."""
        self.make_confidence()
        self.write_values("confidence", (slice(None),) * confidence.ndim, confidence)

    def make_instances(self) -> None:
        """Make the array ``instance``, int32 ``space``, of 0."""
        instances = self._map_files("int32", fill_value=0)
        self._write_new("instance", instances)
        if self._shown:
            label = make_label("instance", instances, dims_of(self._folder / "instance"), attrs_of(self._folder))
            self._write_new(f"{LABELS}/instance", label)
            write_text(self._folder / LABELS / ABOUT, group_text(list_labels(["class", "instance"])))

    def make_confidence(self) -> None:
        """Make the array ``confidence``, float32 ``space``, of NaN."""
        self._write_new("confidence", self._map_files("float32", fill_value=math.nan))

    def _map_files(self, dtype: str, fill_value: float) -> Files:
        """Make an array of the sites."""
        mean, dims = self._array("mean"), dims_of(self._folder / "mean")[1:]
        return array_files(mean.shape[1:], dims, dtype, chunks=mean.chunks[1:], fill_value=fill_value)

    def open_images(self, count: int) -> None:
        """Make room for so many samples of a generator, which are part of the result."""
        mean, dims = self._array("mean"), ("sample", *dims_of(self._folder / "mean"))
        shape, chunks = (count, *mean.shape), (1, *mean.chunks)
        files = array_files(shape, dims, "float32", chunks=chunks, fast=True, fill_value=math.nan)
        self._write_new("samples", files)

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

    def write_sample(self, sample: int, region: tuple[slice, ...], codes: Tensor) -> None:
        """Write a region of the layers of a sample: integers ``region`` or ``(layers, *region)`` below 256."""
        layers = codes if codes.ndim > len(region) else codes[None]
        window: tuple[slice, ...] = (slice(sample, sample + 1), slice(None), *region)
        self._array(SAMPLES)[window] = layers.to(torch.uint8).cpu().numpy()[None]

    def samples(self) -> Iterator[NDArray[np.uint8]]:
        """Read the first layer of each sample, ``space``, one after the other."""
        array = self._array(SAMPLES)
        for sample in range(array.shape[0]):
            yield np.asarray(array[sample, 0], dtype=np.uint8)

    def read_sample(self, sample: int, region: Region, layer: int = 0) -> NDArray[np.uint8]:
        """Read a region of a layer of a sample."""
        window: tuple[slice, ...] = (slice(sample, sample + 1), slice(layer, layer + 1), *region)
        codes: NDArray[np.uint8] = np.asarray(self._array(SAMPLES)[window], dtype=np.uint8)[0, 0]
        return codes

    @property
    def sample_count(self) -> int:
        """Samples whose maps are kept."""
        return int(self._array(SAMPLES).shape[0]) if (self._folder / SAMPLES / ABOUT).exists() else 0

    @property
    def space(self) -> tuple[int, ...]:
        """Sites by axis."""
        return self._array("mean").shape[1:]

    def read_values(self, name: str, region: Region) -> NDArray[Any]:
        """Read a region of an array of the result."""
        return np.asarray(self._array(name)[region])

    def write_values(self, name: str, region: Region, values: NDArray[Any]) -> None:
        """Write a region of an array of the result."""
        self._array(name)[region] = values
        if name in ("class", "instance") and self._shown:
            self._array(f"{LABELS}/{name}/{LEVEL}")[region] = values

    def write_objects(self, moments: Mapping[str, NDArray[np.floating]], classes: Sequence[str]) -> None:
        """Write the mean and the variances of each class of each object, as ``object_mean`` and so on.

        Args:
            moments: ``mean``, ``epistemic`` and ``aleatoric``, ``(objects, classes)``.
            classes: their names.
        """
        values = {name: part.astype(np.float32) for name, part in moments.items()}
        values["total"] = values["epistemic"] + values["aleatoric"]  # the identity holds to the last bit
        for name, part in values.items():
            files = value_files(
                part,
                ("object", "object_class"),
                chunks=tuple(max(1, side) for side in part.shape),
                fill_value=math.nan,
                attrs={"classes": list(classes)},
            )
            self._write_new(f"object_{name}", files)

    def classes(self) -> NDArray[np.unsignedinteger[Any]]:
        """Return the written class of each site, ``space``, in memory."""
        return np.asarray(self._array("class")[...])

    def mean(self) -> NDArray[np.float32]:
        """Return the written means, ``(names, *space)``, in memory."""
        return np.asarray(self._array("mean")[...], dtype=np.float32)

    def _write_new(self, name: str, files: Files) -> None:
        """Write an array or a group, in place of one that a process made that was killed."""
        write_files(self._folder / name, files)
        self._opened.clear()

    def _arrays(self) -> Iterator[tuple[str, zarr.Array[Any]]]:
        """Return all arrays by their places in the group."""
        for about in self._folder.glob(f"[!.]*/{ABOUT}"):  # no hidden folder of a process that was killed
            if (name := about.parent.name) != LABELS:
                yield name, self._array(name)
        if self._shown:
            yield f"{LABELS}/class/{LEVEL}", self._array(f"{LABELS}/class/{LEVEL}")

    def _array(self, name: str) -> zarr.Array[Any]:
        if name not in self._opened:
            self._opened[name] = open_stored(self._folder / name)
        return self._opened[name]


def starts_of(region: Region) -> tuple[int, ...]:
    """Return where a region begins, by axis."""
    return tuple(int(part.start) for part in region)


def chunks_in(region: Region, chunks: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Return the numbers of the chunks that a region touches, by axis.

    >>> list(chunks_in((slice(0, 5), slice(4, 12)), (5, 8)))
    [(0, 0), (0, 1)]
    """
    return itertools.product(*(range(part.start // side, -(-part.stop // side)) for part, side in zip(region, chunks)))
