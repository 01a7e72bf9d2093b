"""Whole chromosomes, predicted with unknown bases beyond their ends, as in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.genome.fasta import Codes, cut, one_hot, without_bases
from multiunet.prediction import GridPredictor, GridSource, PredictionStore
from multiunet.prediction.run import Tiles
from multiunet.uncertainty import Moments

CHUNK = 1 << 16
"""Bins of a chunk of the store."""


@dataclass(frozen=True)
class Chromosomes:
    """Predicts chromosomes, tile by tile; bins without a known base are NaN.

    Args:
        bin_size: bases a bin; the last bin of a chromosome is filled up with unknown bases.
        flank: bins of unknown bases read before and after a chromosome; nothing is kept of what is said of them.
    """

    predictor: GridPredictor
    bin_size: int
    flank: int

    def whole(self, name: str, codes: Codes, samples: int = 1, seed: int = 0) -> Moments[Tensor]:
        """The moments of all bins, ``(tracks, bins)``, in memory."""
        shape = (len(self.predictor.task.names), self._bins(codes))
        result = Moments(torch.empty(shape), torch.empty(shape), torch.empty(shape))
        for region, piece in self._pieces(name, codes, samples, seed):
            for part in ("mean", "epistemic", "aleatoric"):
                getattr(result, part)[:, region] = getattr(piece, part).cpu()
        return result

    def into(
        self,
        store: PredictionStore,
        name: str,
        codes: Codes,
        fasta: Path,
        samples: int,
        seed: int,
        progress: Tiles | None = None,
    ) -> None:
        """Writes one chromosome: dimension ``bin``, coordinates ``start`` and ``end`` (bases, 0-based, half-open)."""
        bins = self._bins(codes)
        starts = np.arange(bins, dtype=np.int64) * self.bin_size
        item = store.item(
            name,
            names=self.predictor.task.names,
            dims=("bin",),
            shape=(bins,),
            coords={"start": ("bin", starts), "end": ("bin", np.minimum(starts + self.bin_size, len(codes)))},
            chunks=(CHUNK,),
            attrs={"chrom": name, "length": len(codes), "bin_size": self.bin_size, "fasta": str(fasta)},
        )
        for region, piece in self._pieces(name, codes, samples, seed, progress):
            item.write((region,), piece)

    def _bins(self, codes: Codes) -> int:
        return -(-len(codes) // self.bin_size)

    def _pieces(
        self, name: str, codes: Codes, samples: int, seed: int, progress: Tiles | None = None
    ) -> Iterator[tuple[slice, Moments[Tensor]]]:
        bins, before = self._bins(codes), self.flank * self.bin_size
        blank = torch.from_numpy(without_bases(codes, self.bin_size))

        def read(start: Sequence[int], stop: Sequence[int]) -> NDArray[np.float32]:
            return one_hot(cut(codes, start[0] - before, stop[0] - before))

        source = GridSource(name, ((bins + 2 * self.flank) * self.bin_size,), read, ("bin",))
        for (out,), piece in self.predictor.pieces(source, samples, seed, progress):
            first, last = max(out.start, self.flank), min(out.stop, self.flank + bins)
            if first < last:
                kept = slice(first - out.start, last - out.start)
                region = slice(first - self.flank, last - self.flank)
                nothing = blank[region].to(piece.mean.device)
                parts = (piece.mean[:, kept], piece.epistemic[:, kept], piece.aleatoric[:, kept])
                yield region, Moments(*(part.masked_fill(nothing, float("nan")) for part in parts))
