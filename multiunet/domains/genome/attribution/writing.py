"""Files of attributions: arrays for motif discovery, tracks for browsers, a table, and logos."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.attribution.region import Region
from multiunet.domains.genome.logo import draw_logo
from multiunet.domains.genome.sequence import one_hot
from multiunet.domains.genome.writers import write_bases
from multiunet.domains.remarks import remark
from multiunet.files import csv_text, write_atomically, write_text
from multiunet.prediction.group_names import FreeNames, group_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

COLUMNS = ("chrom", "start", "end", "name", "track", "prediction", "blank", "contributions", "missing")

DRAWN = 20
"""Most regions that are drawn."""

LONGEST = 2000
"""Bases of the longest region that is drawn."""

LINE = 100
"""Bases of a line of a figure."""


def write(found: Sequence[Region], tracks: Sequence[str], folder: Path, lengths: dict[str, int]) -> list[Path]:
    """Write all files of some regions; return them.

    ``sequences.npz`` and ``TRACK.hypothetical.npz`` hold ``arr_0``, ``(regions, 4, bases)``, as TF-MoDISco reads them;
    shorter regions are in the middle, with zeros about them. ``TRACK.contribution.bw`` has the mean of regions that
    overlap.

    Args:
        lengths: bases of the chromosomes.
    """
    files = [folder / "regions.csv", folder / "sequences.npz"]
    write_text(files[0], csv_text([COLUMNS, *_rows(found, tracks)]))
    _write_array(files[1], [one_hot(region.codes) for region in found])
    free, pictures = FreeNames(), FreeNames()
    for index, track in enumerate(tracks):
        name = free.give(group_name(track), track)
        files.append(folder / f"{name}.hypothetical.npz")
        _write_array(files[-1], [region.hypothetical[index] for region in found])
        for kind in ("contribution", "contribution_sd"):
            stretches = _join(found, [getattr(region, kind)[index] for region in found])
            if stretches:
                files.append(folder / f"{name}.{kind}.bw")
                chroms = {chrom: lengths[chrom] for chrom, _, _ in stretches}
                write_bases(files[-1], chroms, stretches)
        for region in _drawn(found):
            label = region.place.label
            files.append(folder / f"{pictures.give(f'{name}.{group_name(label)}', f'{track}/{label}')}.png")
            figure = draw_region(region, index, track)
            write_atomically(files[-1], partial(figure.savefig, format="png", dpi=130))
    return files


def draw_region(region: Region, index: int, track: str) -> Figure:
    """Draw the contributions of a region's bases to one track as a logo, line by line."""
    from matplotlib.figure import Figure  # slow to import

    size = len(region.codes)
    lines = [slice(first, min(first + LINE, size)) for first in range(0, size, LINE)]
    width = min(LINE, size)
    figure = Figure(figsize=(1.6 + 0.13 * max(width, 40), 0.8 + 1.3 * len(lines)), layout="constrained")
    panels = figure.subplots(len(lines), 1, squeeze=False, sharey=True)[:, 0]
    heights = region.contribution[index]
    for panel, part in zip(panels, lines):
        first = region.place.start + part.start + 1
        draw_logo(panel, region.codes[part], heights[part], first, region.contribution_sd[index, part])
        panel.set_xlim(first - 0.5, first + width - 0.5)
        begin = math.ceil(first / 10) * 10
        panel.set_xticks(range(begin, first + part.stop - part.start, 10))
        panel.ticklabel_format(axis="x", style="plain", useOffset=False)
        panel.tick_params(labelsize="small")
        panel.spines[["top", "right"]].set_visible(False)
    low, high = min(heights.min(), 0.0), max(heights.max(), 0.0)
    room = 0.05 * (high - low) or 1.0
    panels[0].set_ylim(low - room, high + room)
    pale = "" if np.isnan(region.contribution_sd).all() else ", pale within their deviations"
    figure.suptitle(f"{track}, {region.place.words}: contributions of its bases{pale}", fontsize="medium")
    return figure


def _drawn(found: Sequence[Region]) -> Sequence[Region]:
    short = [region for region in found if len(region.codes) <= LONGEST]
    if len(short[:DRAWN]) < len(found):
        remark(
            f"logos are drawn of {len(short[:DRAWN])} of {len(found)} regions: the first {DRAWN} of no more than "
            f"{LONGEST:,} bases"
        )
    return short[:DRAWN]


def _rows(found: Sequence[Region], tracks: Sequence[str]) -> Iterator[Sequence[Any]]:
    for region in found:
        place = region.place
        for index, track in enumerate(tracks):
            change = region.prediction[index] - region.blank[index]
            total = float(region.contribution[index].sum())
            values = (region.prediction[index], region.blank[index], total, change - total)
            yield [place.chrom, place.start, place.stop, place.name, track, *(f"{value:.7g}" for value in values)]


def _write_array(path: Path, parts: Sequence[NDArray[Any]]) -> None:
    size = max(part.shape[1] for part in parts)
    whole = np.zeros((len(parts), 4, size), dtype=np.float32)
    for row, part in zip(whole, parts):
        before = (size - part.shape[1]) // 2
        row[:, before : before + part.shape[1]] = part

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, whole)

    write_atomically(path, save)


def _join(found: Sequence[Region], values: Sequence[Floats]) -> list[tuple[str, int, Floats]]:
    """Return disjoint stretches by chromosome, sorted; the mean where regions overlap, nothing where NaN."""
    stretches: list[tuple[str, int, Floats]] = []
    by_chrom: Mapping[str, list[int]] = {
        chrom: [index for index, region in enumerate(found) if region.place.chrom == chrom]
        for chrom in sorted({region.place.chrom for region in found})
    }
    for chrom, indices in by_chrom.items():
        at = np.concatenate([np.arange(found[index].place.start, found[index].place.stop) for index in indices])
        one = np.concatenate([values[index] for index in indices])
        at, one = at[np.isfinite(one)], one[np.isfinite(one)]
        if not len(at):
            continue
        places, which = np.unique(at, return_inverse=True)
        means = np.bincount(which, one) / np.bincount(which)
        edges = np.flatnonzero(np.diff(places) > 1) + 1
        parts = zip(np.split(places, edges), np.split(means, edges))
        stretches += [(chrom, int(part[0]), mean) for part, mean in parts]
    return stretches
