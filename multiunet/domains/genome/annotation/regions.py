"""Regions of classes that are likelier than not, as BED and GFF3 files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

import numpy as np
import xarray as xr

from multiunet.domains.genome.regions import runs

RegionFormat = Literal["bed", "gff3"]

LIKELY = 0.5
"""Probability above which a bin is called."""


class Region(NamedTuple):
    """Bins in a row that are called.

    Attributes:
        score: mean probability over them.
    """

    chrom: str
    start: int
    end: int
    type: str
    strand: str
    score: float


def write_regions(path: Path, form: RegionFormat, chromosomes: Mapping[str, xr.Dataset], index: int) -> None:
    """Write the called regions of one class.

    Args:
        form: ``bed`` has six columns, 0-based, and 1,000 times the mean probability as the score; ``gff3`` is 1-based.
        index: of the class among the channels.
    """
    found = (region for name, item in sorted(chromosomes.items()) for region in _find(name, item, index))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_as_bed(found) if form == "bed" else _as_gff3(found, chromosomes))


def split_name(name: str) -> tuple[str, str]:
    """Return type and strand of a class.

    >>> split_name("CDS-"), split_name("ARS")
    (('CDS', '-'), ('ARS', '.'))
    """
    return (name[:-1], name[-1]) if name[-1] in "+-" and len(name) > 1 else (name, ".")


def _find(chrom: str, item: xr.Dataset, index: int) -> Iterator[Region]:
    part = item.isel(channel=index)
    p, starts, ends = (part[name].values for name in ("mean", "start", "end"))
    kind, strand = split_name(str(item["channel"].values[index]))
    for first, last in runs(np.nan_to_num(p, nan=0.0) > LIKELY):
        score = float(p[first:last].mean(dtype=np.float64))
        yield Region(chrom, int(starts[first]), int(ends[last - 1]), kind, strand, score)


def _as_bed(regions: Iterable[Region]) -> Iterator[str]:
    for one in regions:
        yield f"{one.chrom}\t{one.start}\t{one.end}\t{one.type}\t{round(1000 * one.score)}\t{one.strand}\n"


def _as_gff3(regions: Iterable[Region], chromosomes: Mapping[str, xr.Dataset]) -> Iterator[str]:
    yield "##gff-version 3\n"
    for name, item in sorted(chromosomes.items()):
        yield f"##sequence-region {quote(name)} 1 {int(item.attrs['length'])}\n"
    for one in regions:
        place = f"{quote(one.chrom)}\tmultiunet\t{quote(one.type)}\t{one.start + 1}\t{one.end}"
        yield f"{place}\t{one.score:.4f}\t{one.strand}\t.\t.\n"
