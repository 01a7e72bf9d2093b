"""Random numbers by key: a generator depends on its purpose, never on what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np

Key = int | str
"""Part of a key. A key begins with a word for its purpose, so that no two purposes share their numbers."""


def derive(*key: Key) -> int:
    """Return a 63-bit seed; different keys, of different lengths too, give unrelated seeds."""
    return int(_sequence(key).generate_state(1, np.uint64)[0] >> 1)


def generator(*key: Key) -> np.random.Generator:
    """Return NumPy's generator for a key, e.g. ``generator("draw", seed, epoch, position)``."""
    return np.random.Generator(np.random.PCG64(_sequence(key)))


def permutation(count: int, *key: Key) -> np.ndarray:
    """Return the permutation of ``range(count)`` for a key."""
    return generator(*key).permutation(count)


def _sequence(key: tuple[Key, ...]) -> np.random.SeedSequence:
    """Return NumPy's sequence of a digest: of the numbers themselves, (1, 2) and (1, 2, 0) would be the same."""
    words = repr([part if isinstance(part, str) else int(part) for part in key])
    digest = hashlib.sha256(words.encode()).digest()
    # as words, since NumPy takes more than twice the time for one large number
    return np.random.SeedSequence(np.frombuffer(digest[::-1], dtype="<u4"))
