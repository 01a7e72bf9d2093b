"""Predictions on disk: one ``xarray.Dataset`` an input, each a group of one Zarr v3 store."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from multiunet.errors import InputError
from multiunet.files import AnyPath, write_text
from multiunet.prediction.group_names import FreeNames, group_name
from multiunet.prediction.item_writer import SAMPLES, ItemWriter
from multiunet.prediction.ledger import Ledger
from multiunet.prediction.new_files import ABOUT, Files, array_files, group_files, group_text, value_files, write_files
from multiunet.prediction.ome import LABELS, OME, describe_picture, is_picture, list_labels, make_label
from multiunet.prediction.places import keep_place
from multiunet.prediction.reading import BYTES, CHUNKS, MARK, NAME, VARIANCES, count_chunks, is_prediction
from multiunet.prediction.replaced_folder import ReplacedFolder, full_disk_in_words
from multiunet.uncertainty.statements import Statement

HALF_WRITTEN = re.compile(r"\.[0-9a-f]{32}\.partial$")
"""End of the name of a file that zarr writes before it takes its place; one that was killed leaves it there."""


class PredictionStore:
    """Store that appears under its name only when it is complete.

    Use it as a context manager: groups are written into a hidden folder beside it, which is renamed at the end and
    removed after an error. One process at a time predicts into a store.

    With a ledger the hidden folder stays where a process is interrupted, and the next goes on; or several processes
    write a part each, and ``close_part`` says which of them completes the store.

    Raises:
        InputError: when ``path`` exists and is not to be overwritten, is something else than a prediction, or cannot be
            written; at the begin of the context also when another process predicts into it.
        RunError: in the context, when the disk is full; at its end, when another program wrote ``path`` in between.
    """

    def __init__(
        self,
        path: AnyPath,
        attrs: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        path = Path(path)
        if path.suffix != ".zarr":
            raise InputError(f"{path}: what is written is a Zarr folder; give it a name that ends in .zarr")
        if path.exists() and overwrite and not is_prediction(path):
            raise InputError(f"{path}: not a prediction of multiunet, so it is not overwritten; choose another name")
        self.ledger, self._folder = ledger, ReplacedFolder(path, overwrite, self._make, ledger)
        self.path, self._partial = path, self._folder.partial
        self._groups = FreeNames()
        self._attrs = {MARK: importlib.metadata.version("multiunet"), **(attrs or {})}

    def __enter__(self) -> PredictionStore:
        self._folder.__enter__()
        self._groups = FreeNames()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None and (self.ledger is None or self.ledger.joins):
            try:
                with full_disk_in_words(self.path, self.ledger):
                    self._count_chunks()
            except BaseException:
                self._folder.__exit__(*sys.exc_info())
                raise
        self._folder.__exit__(kind, error, _)

    def _make(self, folder: Path) -> None:
        folder.mkdir()
        (folder / ABOUT).write_text(group_text(self._attrs), encoding="utf-8")

    def close_part(self) -> bool:
        """End this part; return whether it is the last, which completes the inputs: predict them once more."""
        self._groups = FreeNames()
        return self._folder.close_part()

    def agree(self, name: str, decide: Callable[[], int]) -> int:
        """Return a number that the prediction depends on, as the process decided it that began."""
        return decide() if self.ledger is None else self.ledger.agree(name, decide)

    def _count_chunks(self) -> None:
        """Record how many chunks each array has, and their bytes, so that a reader knows that all are there, whole."""
        for samples in self._partial.glob(f"*/{SAMPLES}"):
            shutil.rmtree(samples)
        for folder, _, files in os.walk(self._partial):
            for name in filter(HALF_WRITTEN.search, files):
                Path(folder, name).unlink()
        for file in self._partial.glob("*/*/zarr.json"):
            array = json.loads(file.read_text(encoding="utf-8"))
            if array["node_type"] == "array":
                count, size = count_chunks(file.parent)
                array["attributes"] = {**array.get("attributes", {}), CHUNKS: count, BYTES: size}
                # whole or not at all where another process may go on; all is flushed before it is moved to its place
                write_text(file, json.dumps(array, indent=2), flush=self.ledger is not None)

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
        sample_maps: int = 0,
        sample_layers: int = 1,
        attrs: Mapping[str, Any] | None = None,
    ) -> ItemWriter:
        """Make a new group for one input, or open that of a prediction that goes on.

        Args:
            names: of the channels (classes, tracks).
            dims, shape: the sites' axes.
            coords: by name, an array on the dimension of that name or ``(dimension, array)``.
            chunks: sites of a chunk by axis; whatever is written in one piece should be whole chunks.
            decided: also keep ``class``, the index of the chosen channel (CF ``flag_meanings``, names without blanks);
                with ``per_name`` one yes or no for each channel.
            statements: that are kept beside the moments, too.
            sample_maps: of so many Monte-Carlo samples maps are kept until the input is finished.
            sample_layers: maps of each.

        Raises:
            InputError: when the shape is not that of the prediction that goes on.
        """
        place = self._groups.give(group_name(name), name)
        with self._folder.changing():
            made = self.ledger is not None and self.ledger.is_made(place, shape)
            if not made:
                members = label_files({"channel": np.array(list(names), dtype=object), **(coords or {})})
                sites = tuple(max(1, min(c, n)) for c, n in zip(chunks or shape, shape))
                members |= moment_files(len(names), dims, shape, sites, statements)
                about = {**keep_place(attrs or {}, self.path), NAME: name, **describe_labels(coords or {})}
                classes = class_files(names, dims, shape, sites, per_name) if decided else None
                if classes is not None:
                    members["class"] = classes
                if is_picture(dims, given := attrs or {}):
                    about[OME] = describe_picture(names, dims, given, decided)
                    if classes is not None:
                        axes = ("channel", *dims) if per_name else dims
                        label = make_label("class", classes, axes, given, () if per_name else names)
                        members[LABELS] = group_files(list_labels(["class"]), {"class": label})
                if sample_maps:
                    members[SAMPLES] = sample_files((sample_maps, sample_layers), shape, sites)
                # a record that outlives lost power must not tell of cut files
                write_files(self._partial / place, group_files(about, members), flush=self.ledger is not None)
                if self.ledger is not None:
                    self.ledger.note_made(place, shape)
        return ItemWriter(self._partial, place, self.ledger)


def label_files(labels: Mapping[str, Any]) -> dict[str, Files]:
    """Make coordinates as xarray reads them.

    To write them, xarray itself would load all libraries of arrays that are installed, a second's work.

    Args:
        labels: by name, an array on the dimension of that name or ``(dimensions, array)``.
    """
    return {name: value_files(label, dims) for name, (dims, label) in _located(labels).items()}


def describe_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attribute of a group that says which coordinates no dimension is named after (CF)."""
    beside = [name for name, (dims, _) in _located(labels).items() if dims != (name,)]
    return {"coordinates": " ".join(sorted(beside))} if beside else {}


def _located(labels: Mapping[str, Any]) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return labels with the dimensions that they are on."""
    located = {name: label if isinstance(label, tuple) else (name, label) for name, label in labels.items()}
    return {name: ((dims,) if isinstance(dims, str) else tuple(dims), label) for name, (dims, label) in located.items()}


def moment_files(
    names: int, dims: Sequence[str], shape: Sequence[int], chunks: Sequence[int], statements: Sequence[Statement]
) -> dict[str, Files]:
    """Make the arrays of mean, variances and statements, ``(names, *shape)``."""
    kept = dict.fromkeys(("mean", *VARIANCES), "float32")
    kept |= {variable: statement.dtype for statement in statements for variable in statement.variables}
    return {
        variable: array_files(
            (names, *shape),
            ("channel", *dims),
            dtype,
            chunks=(names, *chunks),
            fast=dtype == "float32",
            # of one sample the epistemic variance is 0 everywhere: then nothing is written
            fill_value=False if dtype == "bool" else 0.0 if variable == "epistemic" else math.nan,
        )
        for variable, dtype in kept.items()
    }


def class_files(
    names: Sequence[str], dims: Sequence[str], shape: Sequence[int], chunks: Sequence[int], per_name: bool
) -> Files:
    """Make the array of decided classes, ``shape``; with ``per_name`` of yes and no, ``(names, *shape)``."""
    return array_files(
        (len(names), *shape) if per_name else shape,
        ("channel", *dims) if per_name else dims,
        "uint8" if len(names) <= 256 else "uint16",
        chunks=(len(names), *chunks) if per_name else chunks,
        fill_value=0,
        # blanks part the names
        attrs={
            "flag_values": list(range(len(names))),
            "flag_meanings": " ".join("_".join(name.split()) for name in names),
        },
    )


def sample_files(count: tuple[int, int], shape: Sequence[int], chunks: Sequence[int]) -> Files:
    """Make room for maps of Monte-Carlo samples.

    Args:
        count: samples, and layers of each; maps are ``(*count, *shape)``.
    """
    return array_files((*count, *shape), (), "uint8", chunks=(1, 1, *chunks), fill_value=0, fast=True)
