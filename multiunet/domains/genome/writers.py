"""Predictions as bigWig files, for genome browsers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pybigtools
import xarray as xr

from multiunet.files import write_atomically
from multiunet.prediction import open_prediction

VARIABLES = ("mean", "epistemic", "aleatoric", "total")


def export(prediction: Path, folder: Path) -> list[Path]:
    """One bigWig ``TRACK.VARIABLE.bw`` for each track and each of mean, epistemic, aleatoric and total.

    Every file covers all predicted chromosomes; bins keep their size, the last of a chromosome ends with it.
    """
    chromosomes = {str(item.attrs["chrom"]): item for item in open_prediction(prediction).values()}
    lengths = {name: int(item.attrs["length"]) for name, item in sorted(chromosomes.items())}
    tracks = [str(name) for name in next(iter(chromosomes.values()))["channel"].values]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index, track in enumerate(tracks):
        for variable in VARIABLES:
            path = folder / f"{re.sub(r'[^A-Za-z0-9._+-]', '_', track)}.{variable}.bw"
            write_atomically(path, lambda part: _write(part, lengths, chromosomes, variable, index))  # noqa: B023
            written.append(path)
    return written


def _write(path: Path, lengths: dict[str, int], items: Mapping[str, xr.Dataset], variable: str, index: int) -> None:
    def records() -> Iterator[tuple[str, int, int, float]]:
        for chrom in lengths:
            item = items[chrom]
            values = item[variable].values[index]
            starts, ends = item["start"].values, item["end"].values
            known = np.isfinite(values)
            for start, end, value in zip(starts[known].tolist(), ends[known].tolist(), values[known].tolist()):
                yield chrom, start, end, value

    pybigtools.open(str(path), "w").write(lengths, records())
