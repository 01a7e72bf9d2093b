"""Randomness by counter: a generator is a function of what it is for, never of what was drawn before."""

from __future__ import annotations

import numpy as np


def derive(*key: int) -> int:
    """A 63-bit seed for this key; different keys give unrelated seeds (NumPy's SeedSequence, O'Neill 2014)."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def generator(*key: int) -> np.random.Generator:
    """NumPy's generator for this key, e.g. ``generator(seed, epoch, position)``."""
    return np.random.default_rng(key)


def permutation(count: int, *key: int) -> np.ndarray:
    """The permutation of ``range(count)`` for this key."""
    return generator(*key).permutation(count)
