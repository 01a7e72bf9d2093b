"""Held-out sites that a calibration is fitted to, in groups that are exchangeable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeldOut:
    """Sites with a known target.

    Attributes:
        mean, variance: predictive mean and total variance, ``(sites, names)``, float32.
        target: classes ``(sites,)``, yes or no of independent labels ``(sites, names)``, NaN where not
            known, or quantities ``(sites, names)``, NaN where not measured.
        group: place of each site's group in ``groups``, ``(sites,)``. Groups are what is exchangeable: images,
            chromosomes, graphs; never the pixels of one.
        groups: names of the groups.
    """

    mean: Tensor
    variance: Tensor
    target: Tensor
    group: Tensor
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.mean)

    def without(self, names: Sequence[str]) -> HeldOut:
        """Return the sites of all groups but those named."""
        left_out = torch.tensor([name in set(names) for name in self.groups], dtype=torch.bool)
        return self.select(~left_out[self.group])

    def select(self, kept: Tensor) -> HeldOut:
        """Return some of the sites, ``(sites,)`` bool, with the groups that still have any."""
        group = self.group[kept]
        present = group.unique()
        place = torch.zeros(len(self.groups), dtype=torch.long).index_put((present,), torch.arange(len(present)))
        return HeldOut(
            self.mean[kept],
            self.variance[kept],
            self.target[kept],
            place[group],
            tuple(self.groups[int(index)] for index in present),
        )

    def regroup(self, groups: Mapping[str, str]) -> HeldOut:
        """Return the same sites in larger groups.

        Args:
            groups: by name of a group the one that takes it in; others stay as they are.
        """
        larger = [groups.get(name, name) for name in self.groups]
        number = {name: place for place, name in enumerate(dict.fromkeys(larger))}
        place = torch.tensor([number[name] for name in larger], dtype=torch.long)
        return replace(self, group=place[self.group], groups=tuple(number))

    def by_group(self, values: Tensor) -> list[Tensor]:
        """Return values of the sites, ``(sites, ...)``, one tensor a group."""
        order = self.group.argsort(stable=True)
        counts = torch.bincount(self.group, minlength=len(self.groups))
        return list(values[order].split(counts.tolist()))

    @staticmethod
    def join(parts: Sequence[HeldOut]) -> HeldOut:
        """Return the sites of all parts; groups of one name are one group."""
        names = list(dict.fromkeys(name for part in parts for name in part.groups))
        place = {name: index for index, name in enumerate(names)}
        groups = [torch.tensor([place[name] for name in part.groups])[part.group] for part in parts]
        return HeldOut(
            torch.cat([part.mean for part in parts]),
            torch.cat([part.variance for part in parts]),
            torch.cat([part.target for part in parts]),
            torch.cat(groups),
            tuple(names),
        )


class SiteSample:
    """Random sample of the sites of one group that are added piece by piece, of at most ``most`` sites.

    Each site draws a random priority and those with the least stay (Vitter 1985 names the kind reservoir sampling), so
    that every site has the same chance, however many there are.
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most = most
        self._generator = torch.Generator().manual_seed(seed)
        self._kept: tuple[Tensor, ...] | None = None

    def add(self, *columns: Tensor) -> None:
        """Add sites, one row each in every column."""
        rows = (torch.rand(len(columns[0]), generator=self._generator), *columns)
        if self._kept is not None:
            rows = tuple(torch.cat(pair) for pair in zip(self._kept, rows))
        if len(rows[0]) > self.most:
            least = rows[0].topk(self.most, largest=False).indices.sort().values
            rows = tuple(column[least] for column in rows)
        self._kept = rows

    def columns(self) -> tuple[Tensor, ...]:
        """Return the sampled rows of each column; none where nothing was added."""
        return () if self._kept is None else self._kept[1:]
