"""Markov chains of bases, beside which a generator is judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.sequence import UNKNOWN, Codes, reverse_complement


def count_words(codes: Codes, length: int) -> NDArray[np.int64]:
    """Count the words of so many known bases in codes ``(L,)``, by number, ``(4**length,)``.

    A word's number has its first base as the highest digit to base 4.
    """
    numbers, known = number_words(codes, length)
    return np.bincount(numbers[known], minlength=4**length)


def number_words(codes: Codes, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the number of the word at each place of codes ``(L,)``, and whether its bases are all known."""
    places = max(0, len(codes) - length + 1)
    numbers, known = np.zeros(places, np.int64), np.ones(places, bool)
    for offset in range(length):
        bases = codes[offset : offset + places]
        numbers = 4 * numbers + np.where(bases < UNKNOWN, bases, 0)
        known &= bases < UNKNOWN
    return numbers, known


@dataclass(frozen=True)
class MarkovChain:
    """Markov chain of bases.

    Attributes:
        order: bases that the next one depends on.
        chances: of each base after each word, ``(4**order, 4)``.
    """

    order: int
    chances: NDArray[np.float64]

    @classmethod
    def fit(cls, sequences: Iterable[Codes], order: int) -> MarkovChain:
        """Fit a chain to both strands of sequences, one added to each count."""
        counts = np.ones(4 ** (order + 1))
        for codes in sequences:
            counts += count_words(codes, order + 1) + count_words(reverse_complement(codes), order + 1)
        table = counts.reshape(-1, 4)
        return cls(order, table / table.sum(axis=1, keepdims=True))

    def surprise(self, codes: Codes) -> tuple[float, int]:
        """Return the surprise of bases ``(L,)`` in nats, summed, and the number of bases that it is of.

        A base counts if it and the ``order`` bases before it are known.
        """
        numbers, known = number_words(codes, self.order + 1)
        return float(-np.log(self.chances.reshape(-1))[numbers[known]].sum()), int(known.sum())

    def draw(self, count: int, length: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw sequences, ``(count, length)``; each is begun some bases earlier, from random ones."""
        begin = 8 * self.order
        cumulated = self.chances.cumsum(axis=1)
        word = rng.integers(0, 4**self.order, count)
        found = np.empty((count, begin + length), np.uint8)
        for place in range(begin + length):
            drawn = (rng.random(count)[:, None] > cumulated[word, :3]).sum(axis=1)
            found[:, place] = drawn
            word = (4 * word + drawn) % 4**self.order
        return found[:, begin:]
