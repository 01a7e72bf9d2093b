"""Means of predicted tracks over regions of chromosomes, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.genome.chromosomes import CHUNK
from multiunet.domains.genome.config import GenomeMeasure
from multiunet.domains.genome.intervals import Intervals, read_intervals, read_names
from multiunet.domains.genome.names import listed, match_chromosomes
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.files import check_folder, csv_text, write_text
from multiunet.prediction import open_datasets
from multiunet.prediction.totals import LEVEL, least_value, open_sums
from multiunet.uncertainty.sums import Floats, SumCalibration, Totals
from multiunet.wording import counted


@dataclass(frozen=True)
class RegionRow:
    """Track in a region: a row of ``regions.csv``.

    Attributes:
        start, end: bases, 0-based and half-open, as in the BED file.
        name: fourth column of the BED file, empty where it has none.
        bins: predicted bins that the region touches.
        mean: over its bases in these bins, in the track's units; None where none is predicted.
        low, high: the true mean is between them with a probability of 90 %.
        sd: half the width of the interval of 68 %. These three are None in predictions of a run whose sums are not
            calibrated, which needs two held-out chromosomes.
    """

    chrom: str
    start: int
    end: int
    name: str
    track: str
    bins: int
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None


def measure(options: GenomeMeasure) -> list[RegionRow]:
    """Measure the regions of a BED file, in its order, each track of a region in a row.

    Raises:
        InputError: for a file that is not BED, or has no region on a predicted chromosome, or one beyond its end.
    """
    chromosomes = {str(item.attrs["chrom"]): item for item in open_datasets(options.prediction).values()}
    found = read_intervals(options.regions, "BED")
    alike = match_chromosomes(options.regions, found, chromosomes, options.prediction)
    known = {chrom: found[name] for name, chrom in alike.items()}
    if not known:
        raise InputError(
            f"{options.regions}: none of its chromosomes is predicted ({options.regions.name} has {listed(found)}; "
            f"{options.prediction} has {listed(chromosomes)})"
        )
    if left_out := sum(len(rows.lines) for name, rows in found.items() if name not in alike):
        remark(f"{options.regions}: left out {counted(left_out, 'region')} on chromosomes that are not predicted")
    names, sums = read_names(options.regions), open_sums(options.prediction).get("sites")
    least = least_value(options.prediction)
    rows: dict[int, list[RegionRow]] = {}
    partial = 0
    for chrom, regions in known.items():
        _check_ends(options.regions, chrom, regions, int(chromosomes[chrom].attrs["length"]))
        totals, bins = _sum_regions(chromosomes[chrom], regions)
        tracks = [str(name) for name in chromosomes[chrom]["channel"].values]
        partial += _count_partial(chromosomes[chrom], regions, bins)
        stated = _state(totals, sums, least)
        for index, line in enumerate(regions.lines.tolist()):
            place = (chrom, int(regions.starts[index]), int(regions.ends[index]), names.get(line, ""))
            rows[line] = [RegionRow(*place, track, int(bins[index]), *row) for track, row in zip(tracks, stated[index])]
    if partial:
        remark(
            f"{options.regions}: {counted(partial, 'region')} not predicted as a whole (see the column bins); means "
            "are of the bins that are"
        )
    return [row for line in sorted(rows) for row in rows[line]]


def _count_partial(data: xr.Dataset, regions: Intervals, bins: NDArray[np.int64]) -> int:
    size = int(data.attrs["bin_size"])
    return int((bins < -(-regions.ends // size) - regions.starts // size).sum())


def _check_ends(path: Path, chrom: str, regions: Intervals, length: int) -> None:
    if len(beyond := np.flatnonzero(regions.ends > length)):
        raise InputError(
            f"{path}:{regions.lines[beyond[0]]}: ends at {regions.ends[beyond[0]]:,}, but {chrom} has {length:,} bases "
            "in the prediction; another assembly?"
        )


def _sum_regions(data: xr.Dataset, regions: Intervals) -> tuple[Totals, NDArray[np.int64]]:
    """Return sums over the bases of each region, divided by their number, and its predicted bins.

    A bin counts by the share that its bases have of the region's predicted ones. So the sums of means are means, and
    ``sites`` is the number of bins that would, with equal shares, give the same variance.
    """
    size, tracks = int(data.attrs["bin_size"]), data.sizes["channel"]
    first, last = regions.starts // size, -(-regions.ends // size)
    weight, squares, bins = np.zeros(len(first)), np.zeros(len(first)), np.zeros(len(first), dtype=np.int64)
    mean, variance = np.zeros((len(first), tracks)), np.zeros((len(first), tracks))
    for start, values, variances in _blocks(data):
        stop = start + values.shape[1]
        for index in np.flatnonzero((first < stop) & (last > start)):
            cut = slice(max(first[index] - start, 0), min(last[index], stop) - start)
            edges = (np.arange(cut.start, cut.stop + 1) + start) * size
            bases = np.diff(np.clip(edges, regions.starts[index], regions.ends[index])).astype(float)
            known = np.isfinite(values[0, cut])  # a bin is predicted for all tracks, or for none
            bases, part, spread = bases[known], values[:, cut][:, known], variances[:, cut][:, known]
            weight[index] += bases.sum()
            squares[index] += (bases**2).sum()
            bins[index] += len(bases)
            mean[index] += part @ bases
            variance[index] += spread @ bases**2
    with np.errstate(invalid="ignore"):  # a region without a predicted bin
        sites = np.repeat((weight**2 / squares)[:, None], tracks, axis=1)
        return Totals(sites, mean / weight[:, None], variance / weight[:, None] ** 2), bins


def _blocks(data: xr.Dataset) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield the first bin of each block, and its means and total variances, ``(tracks, bins)``."""
    for start in range(0, data.sizes["bin"], CHUNK):
        block = data.isel(bin=slice(start, start + CHUNK))
        with reading(f"{data.encoding.get('source', 'prediction')}: {data.attrs['chrom']}"):
            mean, total = (block[name].values.astype(np.float64) for name in ("mean", "total"))
        yield start, mean, total


def _state(totals: Totals, sums: SumCalibration | None, least: float) -> list[list[tuple[float | None, ...]]]:
    """Return mean, low, high and deviation of each region and track.

    Args:
        least: value that a track can have.
    """
    nothing = np.full_like(totals.mean, np.nan)
    columns = [totals.mean, nothing, nothing, nothing]
    if sums is not None:
        found = sums.each(totals, LEVEL).cut(least)
        columns = [totals.mean, found.low, found.high, found.deviation]
    table = np.stack(columns, axis=-1).tolist()
    return [[tuple(None if value != value else value for value in row) for row in of_region] for of_region in table]


def write_regions(rows: Sequence[RegionRow], folder: Path, overwrite: bool) -> list[Path]:
    """Write ``regions.csv``; return it.

    Raises:
        InputError: when the folder has files already, unless they may be overwritten, or cannot be written.
    """
    check_folder(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    columns = [item.name for item in fields(RegionRow)]
    path = folder / "regions.csv"
    write_text(path, csv_text([columns, *([getattr(row, column) for column in columns] for row in rows)]))
    return [path]
