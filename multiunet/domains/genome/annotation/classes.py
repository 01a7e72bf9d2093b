"""Classes of bins, from the features of annotation files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.annotation.features import Feature, FeatureFile, choose
from multiunet.domains.genome.annotation.reading import check_types, read_features
from multiunet.domains.genome.names import check_names, check_within, listed, matches
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

MOSTLY = 0.5
"""Share of a type's features that have a strand, from which on each strand is a class."""

Place = tuple[int, int]
"""Start and end, 0-based and half-open."""


@dataclass(frozen=True)
class Classes:
    """Classes of a genome's bases.

    Attributes:
        names: type and strand (``CDS+``, ``CDS-``), or the type alone where its features have no strand.
        partners: for each class the index of the same type on the other strand; its own without strands.
        places: by class and chromosome, bases that have the class; they may overlap.
        unknown: the same, bases of which it is not known: where a feature of a type with strands has none.
        chroms: that the annotation speaks of; nothing is known of others.
        found: all names of chromosomes in the files, also of those that are left out.
    """

    names: list[str]
    partners: list[int]
    places: list[dict[str, list[Place]]]
    unknown: list[dict[str, list[Place]]]
    chroms: frozenset[str] = frozenset()
    found: list[str] = field(default_factory=list)

    def on_bins(self, chrom: str, length: int, bin_size: int) -> NDArray[np.float32]:
        """Return the classes of bins, ``(classes, bins)``.

        They are 1 where half of a bin's bases or more have the class, NaN where nothing is known, else 0.
        """
        rows = np.zeros((len(self.names), -(-length // bin_size)), dtype=np.float32)
        if chrom not in self.chroms:
            rows[:] = np.nan
            return rows
        starts = np.arange(0, length, bin_size)
        bases = np.diff(starts, append=length)
        for row, places, unknown in zip(rows, self.places, self.unknown):
            row[2 * _count(places.get(chrom, ()), length, starts) >= bases] = 1
            if chrom in unknown:
                row[(row == 0) & (2 * _count(unknown[chrom], length, starts) >= bases)] = np.nan
        return rows


def read_classes(
    paths: Sequence[Path], types: Sequence[str], onto: Bins, without: Sequence[str] = (), stranded: bool = True
) -> Classes:
    """Read annotation files as classes of a genome's bases.

    Args:
        types: of features to learn; empty where the files have one type each.
        onto: the genome, and which chromosomes may be missing.
        without: words; features that have one are left out (see ``choose``).
        stranded: each strand of a type is a class; False: a type is one class.

    Raises:
        InputError: for files that cannot be read, types that do not occur, or another assembly.
    """
    files = [read_features(path, types) for path in paths]
    types = check_types(files, types)
    alike = [_check(file, onto) for file in files]
    chosen = [
        feature._replace(chrom=names[feature.chrom])
        for names, features in zip(alike, choose(files, types, without))
        for feature in features
        if feature.chrom in names
    ]
    chroms = frozenset(name for names in alike for name in names.values())
    _say_missing(paths, chroms, onto)
    made = _make(types, chosen, stranded, chroms)
    made.found.extend({feature.chrom: None for file in files for feature in file.features})
    return made


def _check(file: FeatureFile, onto: Bins) -> dict[str, str]:
    """Return the genome's name of each chromosome of the file; check lengths."""
    last: dict[str, Feature] = {}
    for feature in file.features:
        if feature.chrom not in last or feature.end > last[feature.chrom].end:
            last[feature.chrom] = feature
    names = check_names(file.path, [*last, *file.lengths], onto.genome, onto.exclude, complete=False)
    for chrom, name in names.items():
        if name in file.lengths:
            check_within(file.path, chrom, file.lengths[name], onto.genome, exactly=True)
        if name in last:
            _check_end(file.path, last[name], chrom, onto.genome)
    return {name: chrom for chrom, name in names.items() if not matches(chrom, onto.exclude)}


def _check_end(path: Path, feature: Feature, chrom: str, genome: Genome) -> None:
    if feature.end > (length := genome.lengths[chrom]):
        raise InputError(
            f"{path}:{feature.line}: a {feature.type} reaches base {feature.end:,} of {feature.chrom}, but {chrom} has "
            f"{length:,} bases in {genome.path.name}; another assembly? Use the FASTA file that was annotated"
        )


def _say_missing(paths: Sequence[Path], chroms: frozenset[str], onto: Bins) -> None:
    if missing := [name for name in onto.lengths() if name not in chroms]:
        remark(
            f"{paths[0]}: says nothing of {listed(missing)}, so nothing is learnt from or scored there; leave them out "
            "by `exclude_chroms`"
        )


def _make(types: Sequence[str], features: Iterable[Feature], stranded: bool, chroms: frozenset[str]) -> Classes:
    by_type: dict[str, list[Feature]] = {name: [] for name in types}
    for feature in features:
        by_type[feature.type].append(feature)
    made = Classes([], [], [], [], chroms)
    for name, of_type in by_type.items():
        counts = Counter(feature.strand for feature in of_type)
        if not of_type:
            raise InputError(
                f"`types`: all features of type {name} are on chromosomes that are left out, or have a word of "
                "`exclude_features`"
            )
        if not stranded or counts["."] > MOSTLY * len(of_type):
            _add(made, name, len(made.names), of_type, ())
            continue
        plain = [feature for feature in of_type if feature.strand == "."]
        first = len(made.names)
        _add(made, f"{name}+", first + 1, [one for one in of_type if one.strand == "+"], plain)
        _add(made, f"{name}-", first, [one for one in of_type if one.strand == "-"], plain)
    return made


def _add(made: Classes, name: str, partner: int, features: Sequence[Feature], unknown: Sequence[Feature]) -> None:
    made.names.append(name)
    made.partners.append(partner)
    made.places.append(_by_chrom(features))
    made.unknown.append(_by_chrom(unknown))


def _by_chrom(features: Sequence[Feature]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for feature in features:
        found.setdefault(feature.chrom, []).append((feature.start, feature.end))
    return found


def _count(places: Sequence[Place], length: int, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the bases of each bin that lie in one of the places, which may overlap."""
    if not places:
        return np.zeros(len(starts), dtype=np.int64)
    first, last = np.array(places, dtype=np.int64).T
    steps = np.zeros(length + 1, dtype=np.int32)
    np.add.at(steps, first, 1)
    np.add.at(steps, last, -1)
    inside = np.cumsum(steps[:-1], dtype=np.int32) > 0
    counts: NDArray[np.int64] = np.add.reduceat(inside, starts, dtype=np.int64)
    return counts
