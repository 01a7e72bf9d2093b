"""Features of annotation files: places of a type on a strand of a chromosome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from multiunet.errors import InputError
from multiunet.wording import did_you_mean

Strand = Literal["+", "-", "."]

SHOWN = 20
"""Types of features that a message lists, the most frequent first."""


class Feature(NamedTuple):
    """Line of an annotation file.

    Attributes:
        start, end: bases, 0-based and half-open, whatever the file has.
        strand: ``.`` for a feature without one.
        line: its number in the file, from 1.
        name: by which others call it their parent; empty without one.
        parents: names of what it is a part of.
        words: values of its attributes, by which it may be left out.
    """

    chrom: str
    type: str
    start: int
    end: int
    strand: Strand
    line: int
    name: str = ""
    parents: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FeatureFile:
    """Features of a file.

    Attributes:
        lengths: bases of chromosomes, where the file states them.
    """

    path: Path
    features: list[Feature]
    lengths: dict[str, int]


def choose(files: Sequence[FeatureFile], types: Sequence[str], without: Sequence[str]) -> list[list[Feature]]:
    """Return the features of some types, file by file, without those that have one of some words.

    A feature is also left out where all that it is a part of are: the coding sequence of a pseudogene, say.

    Raises:
        InputError: for a type that no feature has, with the types that there are and how many features have them; for a
            word that no feature has.
    """
    counts = Counter(feature.type for file in files for feature in file.features)
    for wanted in types:
        if wanted not in counts:
            raise InputError(
                f"`types={','.join(types)}`: no feature of {_names(files)} is of type {wanted}"
                f"{did_you_mean(wanted, list(counts))}; there are {list_types(counts)}"
            )
    for word in without:
        if not any(word in feature.words for file in files for feature in file.features):
            raise InputError(f"`exclude_features={','.join(without)}`: no feature of {_names(files)} has {word!r}")
    return [[one for one in _kept(file.features, set(without)) if one.type in types] for file in files]


def list_types(counts: Counter[str]) -> str:
    """List types of features with their numbers for a message, the most frequent first."""
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(SHOWN)]
    return ", ".join(shown) + (f", ... ({len(counts)} types in all)" if len(counts) > SHOWN else "")


def _names(files: Iterable[FeatureFile]) -> str:
    return ", ".join(str(file.path) for file in files)


def _kept(features: Sequence[Feature], without: Collection[str]) -> list[Feature]:
    if not without:
        return list(features)
    by_name: dict[str, list[Feature]] = {}
    for feature in features:
        if feature.name:
            by_name.setdefault(feature.name, []).append(feature)
    known: dict[str, bool] = {}

    def is_out(feature: Feature) -> bool:
        if not feature.words.isdisjoint(without):
            return True
        return bool(feature.parents) and all(name_is_out(parent) for parent in feature.parents)

    def name_is_out(name: str) -> bool:
        if name not in known:
            known[name] = False  # should parents go round in a circle
            known[name] = name in by_name and all(is_out(one) for one in by_name[name])
        return known[name]

    return [feature for feature in features if not is_out(feature)]
