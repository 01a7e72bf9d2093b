"""Prediction of all single-base changes of a stretch, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.core import Trail
from multiunet.core.receptive_field import norms_are_local
from multiunet.domains.genome.mutagenesis.middle import Middle
from multiunet.domains.genome.mutagenesis.patches import PatchedTower
from multiunet.domains.genome.sequence import COMPLEMENT, UNKNOWN, Codes, one_hot, reverse_complement
from multiunet.domains.model import Model
from multiunet.finite import check_outputs
from multiunet.models.genomic import GenomicTrail, GenomicUNet
from multiunet.prediction.ensemble import members, tasks_of
from multiunet.prediction.field import count_samples
from multiunet.tasks import Task
from multiunet.uncertainty import dropouts, mc_dropout_sample

Floats = NDArray[np.float64]

CPU_BINS = 1 << 16
GPU_BINS = 1 << 19
"""Bins of all mutants of a batch, both strands."""


@dataclass(frozen=True)
class Saturation:
    """Changes of a prediction by each single-base change of some bases of a window.

    The tower reads the window once, and for each change only what it can reach (see ``PatchedTower``); the U-Net reads
    the bins of each changed window. The result is that of predicting each changed window whole, to rounding.

    Args:
        samples, seed: of Monte-Carlo dropout; each sample is one thinned network for all changes.
        counted: bins of a window that count, ``(bins,)``.
    """

    model: Model
    device: torch.device
    counted: NDArray[np.bool_]
    samples: int = 16
    seed: int = 0

    def changes(self, codes: Codes, places: Sequence[int], watch: Any = None) -> Floats:
        """Return the change of the sum over the counted bins, ``(samples, tracks, bases A C G T, places)``.

        0 for the base that is there, NaN where that is unknown.

        Args:
            codes: of the window, whole bins.
            places: in the window, of the bases that are changed.
            watch: called with the number of changes that are done, and of all.
        """
        at = np.asarray(places)
        shape = (count_samples(self.model.net, self.samples), len(self.model.task.names), 4, len(at))
        found = np.zeros(shape)
        found[..., codes[at] == UNKNOWN] = np.nan
        letters, columns = np.nonzero((np.arange(4)[:, None] != codes[at]) & (codes[at] != UNKNOWN))
        done, total = 0, len(letters) * len(members(self.model.net))
        first = 0
        for net, task in zip(members(self.model.net), tasks_of(self.model.net, self.model.task)):
            member = _Member(cast(GenomicUNet, net), task, codes, self)
            size = member.batch
            for start in range(0, len(letters), size):
                part = slice(start, start + size)
                sums = member.sums(at[columns[part]], letters[part])
                found[first : first + len(sums), :, letters[part], columns[part]] = sums
                done += len(letters[part])
                if watch is not None:
                    watch(done, total)
            first += self.samples
        return found


class _Member:
    """Network of an ensemble, with what it made of the window as it is."""

    def __init__(self, net: GenomicUNet, task: Task, codes: Codes, saturation: Saturation) -> None:
        self.net, self.task, self.saturation = net, task, saturation
        self.codes = codes
        self.bins = len(codes) // net.bin_size
        stride = net.receptive_field().tile_stride[0]
        filled = np.full(-len(codes) % stride, UNKNOWN, dtype=np.uint8)
        self.strands = [np.concatenate([one, filled]) for one in (codes, reverse_complement(codes))]
        bins, counted = len(self.strands[0]) // net.bin_size, np.flatnonzero(saturation.counted)
        low, high = (int(counted[0]), int(counted[-1]) + 1) if len(counted) else (0, self.bins)
        # of either strand, whose bins are counted from its own begin
        self.middle = Middle(net.unet, min(low, self.bins - high), max(high, self.bins - low), bins)
        self.counted = torch.from_numpy(saturation.counted).to(saturation.device)
        bins = CPU_BINS if saturation.device.type == "cpu" else GPU_BINS
        self.batch = max(1, bins // (2 * self.bins))
        self.local = norms_are_local(net.tower) and net.tower.frames is None  # a stop changes its whole frame
        with torch.no_grad():
            self.towers = [PatchedTower(net.tower, self._field(strand)) for strand in self.strands]
            self.reference = self._sample_sums(torch.cat([tower.features for tower in self.towers]))

    @torch.no_grad()
    def sums(self, places: NDArray[np.int64], letters: NDArray[np.int64]) -> Floats:
        """Return the change of the sums, ``(samples, tracks, mutants)``."""
        there = (places, len(self.codes) - 1 - places)
        become = (letters, COMPLEMENT[letters].astype(np.int64))
        features = [self._mutate(strand, there[strand], become[strand]) for strand in (0, 1)]
        return self._sample_sums(torch.cat(features)) - self.reference

    def _mutate(self, strand: int, places: NDArray[np.int64], letters: NDArray[np.int64]) -> Tensor:
        at, what = (torch.from_numpy(part).to(self.saturation.device) for part in (places, letters))
        if self.local:
            return self.towers[strand].mutate(at, what)
        # norms over all sites: nothing stays as it was
        several = np.repeat(self.strands[strand][None], len(places), axis=0)
        several[np.arange(len(places)), places] = letters
        features: Tensor = self.net.tower(torch.cat([self._field(codes) for codes in several]))
        return features

    def _sample_sums(self, features: Tensor) -> Floats:
        """Return the sum of each sample over the counted bins, ``(samples, tracks, mutants)``.

        Args:
            features: of the given strands, then of the reverse complements.
        """
        found = []
        trail = self.net.unet.encode(features)
        whole = GenomicTrail(trail.saved, trail.bottom, self.bins, strands=2)
        for output in self._outputs(whole):
            check_outputs([output], features)
            mean, _ = self.task.distribution(output)
            found.append(mean[..., self.counted].double().sum(dim=2).T.cpu().numpy())
        return np.stack(found)

    def _outputs(self, trail: GenomicTrail) -> Iterator[Tensor]:
        net, saturation = self.net, self.saturation
        trail = replace(trail, saved=self.middle.cut(trail).saved)
        if saturation.samples == 1:
            yield self._decode(trail)
            return
        if any(dropouts(part) for part in net.prefix()):
            raise ValueError("a network with dropout before its bottleneck has no samples that share the way down")
        shared = net.share(trail)
        for t in range(saturation.samples):
            with mc_dropout_sample(net, saturation.seed, t):
                yield self._decode(shared)

    def _decode(self, trail: Trail[Any]) -> Tensor:
        return self.net.join_strands(self.middle.decode(trail)[..., : self.bins])

    def _field(self, codes: Codes) -> Tensor:
        like = next(self.net.parameters())  # of 64 bits where rounding is to be small
        return torch.from_numpy(one_hot(codes))[None].to(like)
