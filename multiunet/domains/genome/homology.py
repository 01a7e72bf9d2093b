"""Look-alike regions of a genome: what of one split has the sequence of another, by sketches of words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from multiunet.domains.genome.bases import Bases, Codes, lazily
from multiunet.domains.genome.regions import Regions, runs
from multiunet.domains.genome.sequence import UNKNOWN

Hashes = NDArray[np.uint64]

CHANCE = 200
"""Possible words for each base of the genome: a word is then there by chance once in so many."""

LONGEST_WORD = 31
"""Bases of a word that fits into 64 bits."""

BLOCK = 1000
"""Bases of a block that looks like another or does not, or a few more: a multiple of the bins."""

WORDS_OF_BLOCK = 64
"""Words of a block that are compared, on average."""

FEWEST_WORDS = 16
"""Words that a block must have to be judged: one of unknown bases, or of one short repeat, is not."""

ALIKE = 0.2
"""Share of a block's words from which it looks like what has them: with words of 17 bases, nine in ten bases agree."""

MOSTLY = 0.5
"""Share of the words of the smaller one of two sequences from which they belong together."""

COMMON = 50
"""Sequences that share a word from which it is a repeat, and says nothing of any two of them."""

STRETCH = 1 << 20
"""Bases that are hashed at once."""


def choose_word(bases: int) -> int:
    """Return the length of words each of which a genome holds by chance once in ``CHANCE`` only.

    >>> choose_word(12_000_000), choose_word(3_100_000_000)
    (17, 21)
    """
    length = 2
    while 4**length < 2 * CHANCE * bases and length < LONGEST_WORD:  # a word and its reverse complement are one
        length += 1
    return length


def choose_block(bin_size: int) -> int:
    """Return the bases of a block, a multiple of the bins."""
    return -(-BLOCK // bin_size) * bin_size


def find_alike(codes: Mapping[str, Bases], others: Sequence[str], chroms: Sequence[str], block: int) -> Regions:
    """Find the regions of some chromosomes that look like a part of others, on either strand.

    A block looks alike if a fifth of its words are there. Of all words only those with a small hash are compared (a
    FracMinHash sketch, Irber et al. 2022), and each counts once, so repeats of few bases weigh little.

    Args:
        codes: bases of all chromosomes, which say how long words are.
        others: chromosomes that are compared with.
        block: bases that are judged together.
    """
    word = choose_word(sum(map(len, codes.values())))
    share = min(1.0, WORDS_OF_BLOCK / block)
    there = np.unique(np.concatenate([_sketch(codes[name], word, share)[1] for name in others] or [_none()]))
    found: Regions = {}
    for name in chroms:
        places, hashes = _sketch(codes[name], word, share)
        count = -(-len(codes[name]) // block)
        row, own = _distinct(places // block, hashes)
        shared = np.isin(own, there, assume_unique=False)
        words, common = np.bincount(row, minlength=count), np.bincount(row, weights=shared, minlength=count)
        alike = (words >= FEWEST_WORDS) & (common >= ALIKE * words)
        if alike.any():
            found[name] = [(first * block, min(last * block, len(codes[name]))) for first, last in runs(alike)]
    return found


def group_alike(codes: Mapping[str, Bases]) -> list[list[str]]:
    """Put chromosomes of which one has half of the other's words, or more, into one group, in their order.

    Words of more than 50 chromosomes are repeats and do not count.
    """
    names, bases = list(codes), sum(map(len, codes.values()))
    share = min(1.0, WORDS_OF_BLOCK / BLOCK)
    sketches = [np.unique(_sketch(codes[name], choose_word(bases), share)[1]) for name in names]
    every, place = np.unique(np.concatenate(sketches), return_inverse=True)
    rows = np.repeat(np.arange(len(names)), [len(sketch) for sketch in sketches])
    kept = np.bincount(place, minlength=len(every))[place] <= COMMON
    shape = (len(names), len(every))
    table = csr_array((np.ones(kept.sum(), dtype=np.int64), (rows[kept], place[kept])), shape=shape)
    both = (table @ table.T).tocoo()
    sizes = np.bincount(rows[kept], minlength=len(names))
    close = both.data >= np.maximum(MOSTLY * np.minimum(sizes[both.row], sizes[both.col]), FEWEST_WORDS)
    links = csr_array((close[close], (both.row[close], both.col[close])), shape=(len(names), len(names)))
    groups: dict[int, list[str]] = {}
    for name, group in zip(names, connected_components(links, directed=False)[1].tolist()):
        groups.setdefault(group, []).append(name)
    return list(groups.values())


def hash_words(codes: Codes, word: int) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return a hash of each word of a sequence, and whether its bases are known; ``(bases - word + 1,)``.

    A word and its reverse complement have the same hash.
    """
    letters = np.minimum(codes, 3).astype(np.uint64)
    forward = _join_letters(letters, word, first_is_high=True)
    reverse = _join_letters(np.uint64(3) - letters, word, first_is_high=False)
    unknown = np.concatenate([[0], np.cumsum(codes == UNKNOWN)])
    return _mix(np.minimum(forward, reverse)), unknown[word:] == unknown[: len(unknown) - word]


def _join_letters(letters: Hashes, word: int, first_is_high: bool) -> Hashes:
    """Return the words that begin at each place as numbers of two bits a letter, by doubling their length."""
    joined, length = letters, 1
    for bit in bin(word)[3:]:
        later = joined[length:]
        joined = _put(joined[: len(later)], later, length, length, first_is_high)
        length *= 2
        if bit == "1":
            later = letters[length:]
            joined, length = _put(joined[: len(later)], later, length, 1, first_is_high), length + 1
    return joined


def _put(before: Hashes, behind: Hashes, length: int, added: int, first_is_high: bool) -> Hashes:
    """Return words of so many letters with others behind them."""
    if first_is_high:
        return (before << np.uint64(2 * added)) | behind[: len(before)]
    return before | (behind[: len(before)] << np.uint64(2 * length))


def _mix(words: Hashes) -> Hashes:
    """Return numbers with all bits mixed: the finalizer of splitmix64 (Steele et al. 2014)."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _sketch(codes: Bases, word: int, share: float) -> tuple[NDArray[np.int64], Hashes]:
    """Return places and hashes of the words with the smallest hashes, about such a share of all."""
    parts = list(_iter_sketch(lazily(codes), word, np.uint64(min(share * 2**64, 2**64 - 1))))
    places = np.concatenate([places for places, _ in parts] or [np.empty(0, dtype=np.int64)])
    return places, np.concatenate([hashes for _, hashes in parts] or [_none()])


def _iter_sketch(codes: Bases, word: int, limit: np.uint64) -> Iterator[tuple[NDArray[np.int64], Hashes]]:
    for start in range(0, len(codes) - word + 1, STRETCH):
        hashes, known = hash_words(codes[start : start + STRETCH + word - 1], word)
        kept = np.flatnonzero(known & (hashes <= limit))
        yield start + kept, hashes[kept]


def _distinct(rows: NDArray[np.int64], hashes: Hashes) -> tuple[NDArray[np.int64], Hashes]:
    """Return each hash of a row once."""
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    return rows[new], hashes[new]


def _none() -> Hashes:
    return np.empty(0, dtype=np.uint64)
