"""Sites of quantities in bounded memory: sums of all, and a random sample for what needs ranks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.regression import explained_share
from multiunet.metrics.values import quotient

Part = tuple[NDArray[np.float32], ...]
"""Mean, target and, where it is stated, total variance of some sites, ``(names, sites)`` each."""

MOST = 1 << 23
"""Values of quantities that are kept; of more sites a random sample stays, and sums of all."""


class SiteSample:
    """Sites, all as long as they are few, else a random sample, each with the same probability.

    Which stay depends on the sites alone: each has a random number, by a generator that its piece seeds, and the lowest
    stay. So the order of pieces, and how scores are merged, changes nothing.

    Args:
        names: quantities of a site.
        most: values that are kept, of all quantities together.
    """

    def __init__(self, names: int, most: int = MOST) -> None:
        self.most = max(1, most // names)
        self.sums = [PairSums() for _ in range(names)]
        self.count = self._held = 0
        self._parts: list[Part] = []
        self._keys: list[NDArray[np.uint64]] = []

    @property
    def is_whole(self) -> bool:
        """True while all sites are kept."""
        return self.count <= self.most

    def add(self, part: Part) -> None:
        """Add sites."""
        for sums, mean, truth in zip(self.sums, *part[:2]):
            sums.add(PairSums.of(mean, truth))
        seed = zlib.crc32(np.ascontiguousarray(part[1]).tobytes(), zlib.crc32(np.ascontiguousarray(part[0]).tobytes()))
        sites = int(part[0].shape[1])
        keys = np.asarray(np.random.default_rng(seed).integers(0, 1 << 64, (sites,), dtype=np.uint64))
        self._take([part], [keys], sites)

    def merge(self, other: SiteSample) -> None:
        """Add the sites of another."""
        for own, more in zip(self.sums, other.sums):
            own.add(more)
        self._take(other._parts, other._keys, other.count)

    def _take(self, parts: Sequence[Part], keys: Sequence[NDArray[np.uint64]], count: int) -> None:
        self._parts += parts
        self._keys += keys
        self.count += count
        self._held += sum(map(len, keys))
        if self._held > 2 * self.most:
            self._thin()

    def _thin(self) -> None:
        """Keep the sites of the lowest numbers."""
        if self._held <= self.most:
            return
        every = np.concatenate(self._keys)
        limit = np.partition(every, self.most - 1)[self.most - 1]
        kept = [keys <= limit for keys in self._keys]
        self._parts = [tuple(values[:, chosen] for values in part) for part, chosen in zip(self._parts, kept)]
        self._keys = [keys[chosen] for keys, chosen in zip(self._keys, kept)]
        self._held = sum(map(len, self._keys))

    def joined(self) -> list[NDArray[np.float32]]:
        """Return mean, target and, where all pieces state it, total variance of the kept sites."""
        if not self.is_whole:
            self._thin()
        return [np.concatenate(values, axis=1) for values in zip(*self._parts)]


@dataclass
class PairSums:
    """Sums over pairs of a prediction and its target, in float64; pairs without a target do not count.

    Joined as in Chan et al. 1983, eq. 2.1.

    Attributes:
        count: of pairs.
        means: of predictions and targets.
        squares: sums of squared deviations from these means, and of their products: ``(p p, t t, p t)``.
        lows, highs: the extremes of both.
        absolute, squared: sums of errors.
    """

    count: int = 0
    means: tuple[float, float] = (0.0, 0.0)
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lows: tuple[float, float] = (np.inf, np.inf)
    highs: tuple[float, float] = (-np.inf, -np.inf)
    absolute: float = 0.0
    squared: float = 0.0

    @classmethod
    def of(cls, mean: NDArray[np.floating], truth: NDArray[np.floating]) -> PairSums:
        """Return the sums of some pairs, ``(sites,)`` each.

        Raises:
            ValueError: when a prediction is not finite where its target is known.
        """
        known = ~np.isnan(truth)
        p, t = mean[known].astype(np.float64), truth[known].astype(np.float64)
        if not p.size:
            return cls()
        for name, values in (("predicted", p), ("target", t)):
            if unknown := np.count_nonzero(~np.isfinite(values)):
                raise ValueError(f"{unknown} of {values.size} {name} values are not finite")
        a, b, error = p - p.mean(), t - t.mean(), p - t
        return cls(
            p.size,
            (float(p.mean()), float(t.mean())),
            (float(a @ a), float(b @ b), float(a @ b)),
            (float(p.min()), float(t.min())),
            (float(p.max()), float(t.max())),
            float(np.abs(error).sum()),
            float(error @ error),
        )

    def add(self, other: PairSums) -> None:
        """Add other pairs."""
        if not other.count:
            return
        count = self.count + other.count
        apart = [b - a for a, b in zip(self.means, other.means)]
        weight = self.count * other.count / count
        products = (apart[0] * apart[0], apart[1] * apart[1], apart[0] * apart[1])
        x, y, z = (a + b + weight * c for a, b, c in zip(self.squares, other.squares, products))
        low, high = zip(*((min(a, b), max(c, d)) for a, b, c, d in self._extremes(other)))
        p, t = (a + d * other.count / count for a, d in zip(self.means, apart))
        self.count, self.means, self.squares = count, (p, t), (x, y, z)
        self.lows, self.highs = (low[0], low[1]), (high[0], high[1])
        self.absolute, self.squared = self.absolute + other.absolute, self.squared + other.squared

    def _extremes(self, other: PairSums) -> Iterator[tuple[float, float, float, float]]:
        return zip(self.lows, other.lows, self.highs, other.highs)

    def scores(self) -> dict[str, float | None]:
        """Return ``pearson_r``, ``r2``, ``mse``, ``rmse`` and ``mae``; see ``TrackScores``."""
        constant = [low >= high for low, high in zip(self.lows, self.highs)]
        r = None if any(constant) else quotient(self.squares[2], (self.squares[0] * self.squares[1]) ** 0.5)
        unexplained = None if constant[1] else quotient(self.squared, self.squares[1])
        mse = quotient(self.squared, self.count)
        return {
            "pearson_r": None if r is None else min(1.0, max(-1.0, r)),
            "r2": None if unexplained is None else explained_share(unexplained),
            "mse": mse,
            "rmse": None if mse is None else mse**0.5,
            "mae": quotient(self.absolute, self.count),
        }
