"""Spectra of short words of DNA, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.generation.markov import count_words
from multiunet.domains.genome.sequence import Codes, reverse_complement

LONGEST = 6
"""Bases of the longest words."""


def count_spectra(sequences: Sequence[Codes]) -> list[NDArray[np.int64]]:
    """Count the words of 1 to ``LONGEST`` bases of sequences, on both strands; by length."""
    return [
        np.sum([count_words(one, size) + count_words(reverse_complement(one), size) for one in sequences], axis=0)
        for size in range(1, LONGEST + 1)
    ]


def jensen_shannon(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the Jensen-Shannon distance of two spectra ``(words,)``: 0 for equal ones, at most 1.

    The square root of the divergence in bits (Endres & Schindelin 2003).
    """
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2

    def divergence(of: NDArray[np.float64]) -> float:
        there = of > 0
        return float((of[there] * np.log2(of[there] / middle[there])).sum())

    return float(np.sqrt(max(0.0, (divergence(p) + divergence(q)) / 2)))


def compare_spectra(sequences: Sequence[Codes], reference: Sequence[NDArray[np.int64]]) -> dict[str, float]:
    """Return the distances of sequences from a reference, by length of words: ``kmer_1_distance``, ..."""
    found = count_spectra(sequences)
    return {
        f"kmer_{size}_distance": jensen_shannon(own, other)
        for size, (own, other) in enumerate(zip(found, reference), start=1)
    }
