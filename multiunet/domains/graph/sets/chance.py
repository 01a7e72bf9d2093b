"""Splits of many graphs by chance: of each alone, or of groups that stay together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.domains.units import choose_units, deal_units, gather_units, spread_classes
from multiunet.errors import InputError
from multiunet.seeds import permutation
from multiunet.wording import counted


class Chance(ABC):
    """Draws of which graphs are held out."""

    @abstractmethod
    def fold(self, folds: int, fold: int) -> NDArray[np.int64]:
        """Return the numbers of the graphs that one of several folds tests; each tests others.

        Raises:
            InputError: for more folds than there are graphs or groups.
        """

    @abstractmethod
    def carve(self, words: NDArray[np.str_], split: Split, fraction: float) -> None:
        """Move a share of the training graphs to another split, at least one; at least one stays.

        Args:
            words: the split of each graph, which is changed.
        """


@dataclass(frozen=True)
class EachAlone(Chance):
    """Draws of graphs of each stratum alike.

    Attributes:
        known: which graphs have a label, ``(graphs,)``.
        strata: of the graphs, ``(graphs,)``.
    """

    known: NDArray[np.bool_]
    strata: NDArray[np.int64]
    seed: int

    def fold(self, folds: int, fold: int) -> NDArray[np.int64]:
        # every so many graphs of a shuffled row in which those of a stratum follow each other
        if folds > self.known.sum():
            raise InputError(
                f"`folds={folds}`: there are {int(self.known.sum())} labelled graphs; a fold tests one at least"
            )
        members = [np.flatnonzero(self.known & (self.strata == one)) for one in np.unique(self.strata[self.known])]
        rows = [part[permutation(len(part), "folds", self.seed, place)] for place, part in enumerate(members)]
        return np.concatenate(rows)[fold::folds]

    def carve(self, words: NDArray[np.str_], split: Split, fraction: float) -> None:
        training = self.known & (words == "train")
        for stratum in np.unique(self.strata[training]):
            members = np.flatnonzero(training & (self.strata == stratum))
            count = min(round(fraction * len(members)), len(members) - 1)
            if fraction and len(members) > 1:
                count = max(1, count)
            order = permutation(len(members), "split", self.seed, SPLITS.index(split), int(stratum))
            words[members[order[:count]]] = split


@dataclass(frozen=True)
class Together(Chance):
    """Draws of groups; training keeps a graph of each stratum, where there are enough.

    Attributes:
        known, strata: see ``EachAlone``.
        groups: of each graph; None: it is a group of its own.
    """

    known: NDArray[np.bool_]
    strata: NDArray[np.int64]
    groups: Sequence[str | None]
    seed: int

    def fold(self, folds: int, fold: int) -> NDArray[np.int64]:
        units = self._units(self.known)
        if folds > len(units):
            raise InputError(
                f"`folds={folds}`: labelled graphs are of {counted(len(units), 'group')}; a fold tests one at least"
            )
        order = permutation(len(units), "folds", self.seed).tolist()
        row, dealt = deal_units(order, folds, [len(unit) for unit in units])
        row = spread_classes(row, dealt, self._shown(units))
        return np.concatenate([units[unit] for unit, own in zip(row, dealt) if own == fold])

    def carve(self, words: NDArray[np.str_], split: Split, fraction: float) -> None:
        units = self._units(self.known & (words == "train"))
        if not fraction or len(units) < 2:
            return
        order = permutation(len(units), "split", self.seed, SPLITS.index(split)).tolist()
        sizes = [len(unit) for unit in units]
        chosen = choose_units(order, max(1, round(fraction * sum(sizes))), self._shown(units), sizes)
        for unit in chosen:
            words[units[unit]] = split

    def _units(self, which: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        members = np.flatnonzero(which)
        return [members[unit] for unit in gather_units([self.groups[graph] for graph in members.tolist()])]

    def _shown(self, units: Sequence[NDArray[np.int64]]) -> list[frozenset[int]]:
        return [frozenset(self.strata[unit].tolist()) for unit in units]
