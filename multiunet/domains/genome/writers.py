"""Predictions as bigWig and bedGraph files, for genome browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pybigtools
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.genome.annotation.regions import RegionFormat, write_regions
from multiunet.domains.genome.chromosomes import CHUNK
from multiunet.domains.genome.config import ExportFormat
from multiunet.errors import InputError
from multiunet.files import write_atomically
from multiunet.prediction import open_datasets
from multiunet.prediction.group_names import FreeNames, group_name

VARIABLES = ("mean", "lower", "upper", "epistemic", "aleatoric", "total")

BAND = {"lower": -1, "upper": 1}
"""Ends of the band of a probability, and on which side of the mean they are."""

NORMAL_95 = 1.96

REGIONS: tuple[RegionFormat, ...] = ("bed", "gff3")

Pieces = Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]
"""Chromosome with starts, ends and values of some of its bins; in the order of names and of bases."""


def export(
    prediction: Path, folder: Path, formats: Sequence[ExportFormat] = ("bigwig",), classes: bool = False
) -> list[Path]:
    """Write ``TRACK.VARIABLE.bw`` or ``.bedGraph`` for each track and each stored one of ``VARIABLES``.

    Of classes ``lower`` and ``upper`` are ``mean -+ 1.96 sqrt(epistemic)`` within 0 and 1, how sure the probability is;
    and there are regions, ``CLASS.bed`` and ``CLASS.gff3``.

    Every file covers all predicted chromosomes; bins keep their size, the last of a chromosome ends with it. A bedGraph
    is plain text without a ``track`` line, sorted as ``bedGraphToBigWig`` wants it.

    Raises:
        InputError: for regions of signals.
    """
    if not classes and (unfit := [name for name in formats if name not in FORMATS]):
        raise InputError(f"`export_as={unfit[0]}`: regions are of classes; of signals there are {', '.join(FORMATS)}")
    chromosomes = {str(item.attrs["chrom"]): item for item in open_datasets(prediction).values()}
    lengths = {name: int(item.attrs["length"]) for name, item in sorted(chromosomes.items())}
    first = next(iter(chromosomes.values()))
    tracks = [str(name) for name in first["channel"].values]
    folder.mkdir(parents=True, exist_ok=True)
    written, free = [], FreeNames()
    for index, track in enumerate(tracks):
        stem = free.give(group_name(track), track)
        for form in [form for form in REGIONS if form in formats]:
            path = folder / f"{stem}.{form}"
            write_atomically(path, lambda part: write_regions(part, form, chromosomes, index))  # noqa: B023
            written.append(path)
        for variable in [name for name in VARIABLES if name in first or (classes and name in BAND)]:
            for name in [name for name in dict.fromkeys(formats) if name in FORMATS]:
                ending, write = FORMATS[name]
                path = folder / f"{stem}.{variable}{ending}"
                write_atomically(path, lambda part: write(part, lengths, _pieces(chromosomes, variable, index)))  # noqa: B023
                written.append(path)
    return written


def _pieces(chromosomes: Mapping[str, xr.Dataset], variable: str, index: int) -> Pieces:
    """Yield the bins of one track, a chunk of the store at a time."""
    for name, item in sorted(chromosomes.items()):
        for first in range(0, item.sizes["bin"], CHUNK):
            piece = item.isel(channel=index, bin=slice(first, first + CHUNK))
            values = piece[variable].values if variable in piece else _end_of_band(piece, variable)
            known = np.isfinite(piece["mean"].values)  # no epistemic variance is 0 even where nothing is said
            yield name, piece["start"].values[known], piece["end"].values[known], values[known]


def write_bases(path: Path, lengths: dict[str, int], stretches: Sequence[tuple[str, int, NDArray[np.float64]]]) -> None:
    """Write values base by base as bigWig; those that are NaN are left out.

    Args:
        lengths: bases of the chromosomes.
        stretches: chromosome, first base and values; disjoint, sorted by chromosome and base.
    """

    def pieces() -> Pieces:
        for chrom, start, values in stretches:
            known = np.flatnonzero(np.isfinite(values))
            yield chrom, start + known, start + known + 1, values[known].astype(np.float32)

    write_atomically(path, lambda part: _write_bigwig(part, lengths, pieces()))


def _end_of_band(piece: xr.Dataset, variable: str) -> NDArray[np.float32]:
    """Return an end of the 95 % band of probabilities, within 0 and 1."""
    width = NORMAL_95 * np.sqrt(piece["epistemic"].values)
    ends: NDArray[np.float32] = np.clip(piece["mean"].values + BAND[variable] * width, 0, 1)
    return ends


def _write_bigwig(path: Path, lengths: dict[str, int], pieces: Pieces) -> None:
    def rows() -> Iterator[tuple[str, int, int, float]]:
        for name, starts, ends, values in pieces:
            yield from ((name, *row) for row in zip(starts.tolist(), ends.tolist(), values.tolist()))

    pybigtools.open(str(path), "w").write(lengths, rows())


def _write_bedgraph(path: Path, lengths: dict[str, int], pieces: Pieces) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for name, starts, ends, values in pieces:
            # as text a float32 has the fewest digits that read back as it
            rows = zip(starts.tolist(), ends.tolist(), values.astype(str).tolist())
            file.writelines(f"{name}\t{start}\t{end}\t{value}\n" for start, end, value in rows)


FORMATS: dict[ExportFormat, tuple[str, Callable[[Path, dict[str, int], Pieces], None]]] = {
    "bigwig": (".bw", _write_bigwig),
    "bedgraph": (".bedGraph", _write_bedgraph),
}
"""End of a file's name and function that writes it, by format."""
