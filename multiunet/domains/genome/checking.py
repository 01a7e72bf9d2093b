"""Look at all data of a training without training: what they are, and what may be wrong, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.core.receptive_field import receptive_field
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.extremes import find_extremes
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.network import build_network
from multiunet.domains.genome.readers import Data, open_genome, read_training
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.several.joining import join_name, read_row, read_rows
from multiunet.domains.genome.strands import pair_strands
from multiunet.domains.unpack import BGZIP_FIELD, is_packed, open_unpacked
from multiunet.errors import InputError

OTHER_UNITS = 3.0
"""Ratio of the means of the two tracks of a strand pair above which they seem to be in other units."""

FEWEST = 0.5
"""Share of bins with a value below which a track seems to leave zeros out."""


@dataclass(frozen=True)
class TrackFacts:
    """Facts of a track, or of a class of an annotation.

    Attributes:
        coverage: share of the bins that have a value.
        low, median, high: of the values; None without one.
        negative: share of the values below 0.
        correlation_bases: distance at which the autocorrelation of the values falls below 1/e; None: it does not.
    """

    name: str
    coverage: float
    low: float | None
    median: float | None
    high: float | None
    negative: float
    correlation_bases: int | None


def check(config: GenomeTrain) -> dict[str, Any]:
    """Return facts on sequences and tracks, and warnings, as plain JSON.

    What makes training impossible is the last warning, and ``usable`` is then false. Of several genomes, names of
    chromosomes, tracks and warnings begin with that of the genome, and letters are those of each file once.
    """
    if not config.has_several:
        return _check_one(config, partial(read_training, config))
    rows = read_rows(config)
    found = {row.name: _check_one(row.config(config), partial(read_row, row, config)) for row in rows}
    first, letters = found[rows[0].name], {row.fasta: found[row.name]["letters"] for row in rows}
    lengths = {join_name(name, chrom): size for name, one in found.items() for chrom, size in one["chroms"].items()}
    return {
        "fasta": str(config.fasta),
        "chroms": lengths,
        "letters": {kind: sum(one[kind] for one in letters.values()) for kind in first["letters"]},
        "tracks": [
            track | {"name": join_name(name, track["name"])} for name, one in found.items() for track in one["tracks"]
        ],
        "receptive_field": first["receptive_field"],
        "warnings": [f"{name}: {words}" for name, one in found.items() for words in one["warnings"]],
        "usable": all(one["usable"] for one in found.values()),
    }


def _check_one(config: GenomeTrain, read: Callable[[], Data]) -> dict[str, Any]:
    genome = open_genome(config)
    found: dict[str, Any] = {
        "fasta": str(genome.path),
        "chroms": dict(genome.lengths),
        "letters": count_letters(genome.path),
        "tracks": [],
        "receptive_field": _receptive_field(config),
        "warnings": list(_look_at_files(config, genome)),
        "usable": True,
    }
    try:
        data = read()
    except InputError as error:
        return found | {"warnings": [*found["warnings"], str(error)], "usable": False}
    facts = [describe(name, _values(data, place), config.bin_size) for place, name in enumerate(data.names)]
    found["tracks"] = [asdict(one) for one in facts]
    found["warnings"] += _look_at_tracks(config, facts, found["receptive_field"])
    if config.task == "signal":
        found["warnings"] += [*_look_at_extremes(config, data), *_look_at_pairs(config, data)]
    return found


def count_letters(path: Path) -> dict[str, int]:
    """Count bases of a FASTA file: all, unknown ones, other ambiguous codes, and lower case."""
    counts = np.zeros(256, dtype=np.int64)
    with open_unpacked(path) as file:
        for line in file:
            if not line.startswith(b">"):
                counts += np.bincount(np.frombuffer(line, dtype=np.uint8), minlength=256)
    letters = {chr(code): int(count) for code, count in enumerate(counts) if chr(code).isalpha()}
    upper: dict[str, int] = {}
    for letter, count in letters.items():
        upper[letter.upper()] = upper.get(letter.upper(), 0) + count
    total = sum(letters.values())
    known = sum(upper.get(letter, 0) for letter in "ACGTU")
    return {
        "bases": total,
        "unknown": upper.get("N", 0),
        "ambiguous": total - known - upper.get("N", 0),
        "lower_case": sum(count for letter, count in letters.items() if letter.islower()),
    }


def describe(name: str, values: NDArray[np.float32], bin_size: int) -> TrackFacts:
    """Return what the values of a track are like, ``(bins,)`` of all chromosomes in a row; NaN: none."""
    known = values[~np.isnan(values)]
    share = len(known) / max(1, len(values))
    if not len(known):
        return TrackFacts(name, 0.0, None, None, None, 0.0, None)
    low, median, high = (float(value) for value in np.quantile(known, [0, 0.5, 1]))
    reach = correlation_length(values)
    return TrackFacts(
        name, share, low, median, high, float((known < 0).mean()), None if reach is None else reach * bin_size
    )


def correlation_length(values: NDArray[np.float32]) -> int | None:
    """Return the bins at which the autocorrelation of ``(bins,)`` falls below 1/e; None: nowhere.

    Pairs of bins with a value count. It is looked for at distances of 1, 2, 4, ... bins.
    """
    filled = np.where(np.isnan(values), np.nan, values - np.nanmean(values)).astype(np.float64)
    variance = float(np.nanmean(filled**2))
    distance = 1
    while variance > 0 and distance < len(values) // 2:
        products = filled[distance:] * filled[:-distance]
        if np.isfinite(products).any() and float(np.nanmean(products)) < variance / math.e:
            return distance
        distance *= 2
    return None


def _values(data: Data, place: int) -> NDArray[np.float32]:
    return np.concatenate([rows[place] for rows in data.targets.values()])


def _receptive_field(config: GenomeTrain) -> int:
    """Return how many bases a bin's prediction looks at."""
    return receptive_field(build_network(config, 1, [0])).size[0]


def _look_at_files(config: GenomeTrain, genome: Genome) -> Iterator[str]:
    path = genome.path
    if is_packed(path):
        with path.open("rb") as file:
            plain_gzip = file.read(16)[12:] != BGZIP_FIELD
        if plain_gzip:
            yield f"{path}: is gzip, not bgzip; it works, but is read whole each time: unpack it, or pack it by bgzip"
    index = path.with_name(path.name + ".fai")
    if index.is_file() and index.stat().st_mtime < path.stat().st_mtime:
        yield f"{path}: has changed after its index {index.name}, which is not used if it does not fit; index it anew"
    window = config.bins_of_window() * config.bin_size
    if short := [name for name, length in genome.lengths.items() if length < window]:
        yield f"{path}: {listed(short)} shorter than a window of {window:,} bases, which unknown bases fill up"


def _look_at_tracks(config: GenomeTrain, facts: Sequence[TrackFacts], seen: int) -> Iterator[str]:
    for one in facts:
        if one.coverage < FEWEST and config.task == "signal":
            yield (
                f"{one.name}: only {one.coverage:.0%} of the bins have a value; if the file leaves out what is 0, pass "
                "`missing=zero`; else use larger bins"
            )
        if one.correlation_bases is not None and one.correlation_bases > seen:
            yield (
                f"{one.name}: values are alike over {one.correlation_bases:,} bases, but the network looks at "
                f"{seen:,}; give more `widths`, or `attention`"
            )
        if one.negative and config.loss in ("poisson", "poisson-multinomial", "negative-binomial"):
            yield f"{one.name}: {one.negative:.1%} of the values are below 0, but `loss={config.loss}` is for counts"


def _look_at_extremes(config: GenomeTrain, data: Data) -> Iterator[str]:
    """Yield the regions that hold much of a track's variance."""
    lengths = {name: len(codes) for name, codes in data.codes.items()}
    for extreme in find_extremes(data.targets, lengths, config.bin_size):
        yield (
            f"{data.names[extreme.track]}: {extreme.describe()}; `soft_clip` says how such values are learnt, "
            "`exclude_regions` leaves regions out"
        )


def _look_at_pairs(config: GenomeTrain, data: Data) -> Iterator[str]:
    """Yield what is strange in strand pairs: other units or signs, and pairs that seem swapped against each other."""
    partners = data.partners or pair_strands(config.strand_pairs, data.names)
    pairs = [(one, other) for one, other in enumerate(partners) if one < other]
    for pair in pairs:
        names = " and ".join(data.names[place] for place in pair)
        means = [float(np.nanmean(_values(data, place))) for place in pair]
        told = f"{names}: their means are {means[0]:.3g} and {means[1]:.3g}"
        if means[0] * means[1] < 0:
            yield f"{told}: is one strand stored as negative numbers?"
        elif max(map(abs, means)) > OTHER_UNITS * min(map(abs, means)):
            yield f"{told}: are both in the same units?"
    for first, second in pairs[1:]:
        straight, crossed = (_alike(data, pairs[0][0], place) for place in (first, second))
        if crossed > straight + 0.1:
            yield (
                f"{data.names[first]}: is less like {data.names[pairs[0][0]]} (r {straight:.2f}) than its partner "
                f"{data.names[second]} is (r {crossed:.2f}): are the strands swapped?"
            )


def _alike(data: Data, one: int, other: int) -> float:
    first, second = _values(data, one).astype(np.float64), _values(data, other).astype(np.float64)
    known = np.isfinite(first) & np.isfinite(second)
    return float(np.corrcoef(first[known], second[known])[0, 1]) if known.sum() > 1 else 0.0
