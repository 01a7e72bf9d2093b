"""Randomness by counter: a generator is a function of what it is for, never of what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np

Key = int | str
"""Part of a key. Whatever draws begins with a word for its purpose, so that no two purposes share their numbers."""


def derive(*key: Key) -> int:
    """A 63-bit seed for this key; different keys, of different lengths too, give unrelated seeds."""
    return int(_sequence(key).generate_state(1, np.uint64)[0] >> 1)


def generator(*key: Key) -> np.random.Generator:
    """NumPy's generator for this key, e.g. ``generator("draw", seed, epoch, position)``."""
    return np.random.default_rng(_sequence(key))


def permutation(count: int, *key: Key) -> np.ndarray:
    """The permutation of ``range(count)`` for this key."""
    return generator(*key).permutation(count)


def _sequence(key: tuple[Key, ...]) -> np.random.SeedSequence:
    """NumPy's (O'Neill 2014), of a digest: of the numbers themselves, it takes (1, 2) and (1, 2, 0) for the same."""
    words = repr([part if isinstance(part, str) else int(part) for part in key])
    return np.random.SeedSequence(int.from_bytes(hashlib.sha256(words.encode()).digest(), "big"))
