"""Trivial methods for classes: their frequency, GC content, and open reading frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.annotation.orfs import scan
from multiunet.domains.genome.baselines import Predictor
from multiunet.domains.genome.sequence import Codes, gc_content

GC_BASES = 200
"""Least bases that GC content is measured over: one base says nothing."""

QUANTILES = 20
"""Groups of bins of like GC content."""

LENGTHS = np.arange(90.0, 1000.0, 15.0)
"""Edges of groups of frames of like length, bases."""

CODING = ("cds", "orf", "gene", "coding", "protein", "mrna", "transcript", "exon")
"""Words in the names of types that a scan for open reading frames is a trivial method for."""

Feature = Callable[[Codes, int], NDArray[np.float64]]
"""Feature of bins for each class, ``(classes, bins)``."""


def fit(
    codes: Mapping[str, Codes], targets: Mapping[str, NDArray[np.float32]], bin_size: int, names: Sequence[str]
) -> dict[str, Predictor]:
    """Fit the frequency of each class over all bins, by GC content, and by open reading frame.

    Args:
        codes: bases by chromosome.
        targets: ``(classes, bins)`` by chromosome; NaN is left out.
        names: of the classes; the scan is there where one of them may be coding.
    """
    target = np.concatenate([targets[chrom] for chrom in codes], axis=1)
    count = len(target)

    def everywhere(sequence: Codes, size: int) -> NDArray[np.float64]:
        return np.zeros((count, -(-len(sequence) // size)))

    def gc(sequence: Codes, size: int) -> NDArray[np.float64]:
        return np.tile(_smooth_gc(sequence, size), (count, 1))

    features: dict[str, Feature] = {"frequency": everywhere, "gc_content": gc}
    edges: dict[str, NDArray[np.float64]] = {}
    if any(is_coding(name) for name in names):
        strands = [1 if name.endswith("-") else 0 if name.endswith("+") else None for name in names]
        features["longest_orf"] = lambda sequence, size: _frames(sequence, size, strands)
        edges["longest_orf"] = LENGTHS
    return {name: _by_groups(how, codes, target, bin_size, edges.get(name)) for name, how in features.items()}


def is_coding(name: str) -> bool:
    """Return whether a type of features, or class, may be coding sequence, by its name."""
    plain = name.lower()
    return any(word in plain for word in CODING) and not any(word in plain for word in ("rna_gene", "pseudo"))


def _smooth_gc(codes: Codes, bin_size: int) -> NDArray[np.float64]:
    """Return the GC content around each bin, over ``GC_BASES`` or more; the mean where nothing is known."""
    width = max(1, GC_BASES // bin_size) * bin_size
    wide = gc_content(codes, width)
    usual = float(np.nanmean(wide)) if np.isfinite(wide).any() else 0.0
    starts = np.arange(0, len(codes), bin_size)
    filled: NDArray[np.float64] = np.where(np.isnan(wide), usual, wide)[starts // width]
    return filled


def _frames(codes: Codes, bin_size: int, strands: Sequence[int | None]) -> NDArray[np.float64]:
    """Return for each class the longest frame of its strand in each bin; without a strand of either."""
    starts = np.arange(0, len(codes), bin_size)
    by_strand = np.maximum.reduceat(scan(codes), starts, axis=1).astype(np.float64)
    return np.stack([by_strand.max(axis=0) if strand is None else by_strand[strand] for strand in strands])


def _by_groups(
    feature: Feature,
    codes: Mapping[str, Codes],
    target: NDArray[np.float32],
    bin_size: int,
    edges: NDArray[np.float64] | None = None,
) -> Predictor:
    """Return the method that says how frequent each class is among bins with a like value of a feature.

    Args:
        edges: of the groups of like values; None: they are of like size.
    """
    values = np.concatenate([feature(sequence, bin_size) for sequence in codes.values()], axis=1)
    tables = [_frequencies(of_class, truth, edges) for of_class, truth in zip(values, target)]

    def predict(sequence: Codes, size: int) -> NDArray[np.float64]:
        found = feature(sequence, size)
        return np.stack([shares[np.searchsorted(edges, row)] for row, (edges, shares) in zip(found, tables)])

    return predict


def _frequencies(
    values: NDArray[np.float64], truth: NDArray[np.float32], edges: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return edges of groups of like values, and the share of the class in each group."""
    known = ~np.isnan(truth)
    values, truth = values[known], truth[known]
    if edges is None:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILES + 1)[1:-1])) if len(values) else np.zeros(1)
    place = np.searchsorted(edges, values)
    sites = np.bincount(place, minlength=len(edges) + 1)
    having = np.bincount(place, weights=truth, minlength=len(edges) + 1)
    filled = np.maximum.accumulate(np.where(sites > 0, np.arange(len(sites)), -1))  # else as of the group below
    share = float(truth.mean()) if len(truth) else 0.0
    return edges, np.where(filled >= 0, (having / np.maximum(sites, 1))[filled], share)
