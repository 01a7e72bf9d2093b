"""Frequencies of words of a few bases around each bin, which a ridge regression predicts from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.bases import Bases
from multiunet.domains.genome.sequence import UNKNOWN, Codes

Floats = NDArray[np.float64]

WORD = 4
"""Bases of a word; it and its reverse complement count as one."""

NEIGHBOURHOODS = (1, 5, 21, 61)
"""Bins over which frequencies are averaged, the bin in the middle."""

BLOCK = 1 << 14
"""Bins whose features are in memory at once."""


def iter_features(codes: Bases, bin_size: int, every: int = 1) -> Iterator[tuple[slice, Floats]]:
    """Yield bins of a chromosome, and their features, ``(bins, features)``.

    They are the frequency of each word in each neighbourhood (so they tell the GC content, too), and the logarithm of
    the distance to the nearer end of the chromosome.

    Args:
        every: of so many blocks of bins only the first is yielded.
    """
    bins, margin = -(-len(codes) // bin_size), max(NEIGHBOURHOODS) // 2
    for start in range(0, bins, every * BLOCK):
        stop = min(start + BLOCK, bins)
        low, high = max(0, start - margin), min(bins, stop + margin)
        near = count_words(codes[low * bin_size : high * bin_size + WORD - 1], bin_size, high - low)
        parts = [_average(near, width)[start - low : stop - low] for width in NEIGHBOURHOODS]
        middle = (np.arange(start, stop) + 0.5) * bin_size
        distance = np.log(np.maximum(np.minimum(middle, len(codes) - middle), 0.5))
        yield slice(start, stop), np.concatenate([*parts, distance[:, None]], axis=1)


def count_words(codes: Codes, bin_size: int, bins: int) -> NDArray[np.int64]:
    """Count each word that begins in each bin, ``(bins, words)``, together with its reverse complement.

    Words with an unknown base do not count.
    """
    classes = classify_words(WORD)
    places = max(0, len(codes) - WORD + 1)
    word, known = np.zeros(places, dtype=np.int64), np.ones(places, dtype=bool)
    for shift in range(WORD):
        letter = codes[shift : shift + places]
        word, known = 4 * word + np.minimum(letter, 3), known & (letter < UNKNOWN)
    count = int(classes.max()) + 1
    where = np.flatnonzero(known)
    where = where[where < bins * bin_size]
    rows = np.bincount(where // bin_size * count + classes[word[where]], minlength=bins * count)
    return rows.reshape(bins, count)


@cache
def classify_words(length: int) -> NDArray[np.int64]:
    """Return the class of each word, ``(4^length,)``, which its reverse complement shares."""
    words = np.arange(4**length)
    reverse, rest = np.zeros_like(words), words.copy()
    for _ in range(length):
        reverse, rest = 4 * reverse + 3 - rest % 4, rest // 4  # A C G T are 0 1 2 3
    classes: NDArray[np.int64] = np.unique(np.minimum(words, reverse), return_inverse=True)[1]
    return classes


def _average(counts: NDArray[np.int64], width: int) -> Floats:
    """Return frequencies over so many bins around each, fewer at the ends; 0 where nothing is known."""
    sums = np.concatenate([np.zeros((1, counts.shape[1]), dtype=np.int64), np.cumsum(counts, axis=0)])
    at, half = np.arange(len(counts)), width // 2
    near = sums[np.minimum(at + half + 1, len(counts))] - sums[np.maximum(at - half, 0)]
    found: Floats = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    return found
