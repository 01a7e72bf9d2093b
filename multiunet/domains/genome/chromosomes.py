"""Prediction of whole chromosomes, with unknown bases beyond their ends, as in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.core.receptive_field import receptive_field
from multiunet.domains.genome.bases import Bases, Codes, lazily
from multiunet.domains.genome.regions import runs
from multiunet.domains.genome.sequence import cut, find_unknown_bins
from multiunet.prediction import GridPredictor, GridSource, PredictionStore
from multiunet.prediction.run import Tiles
from multiunet.uncertainty import Moments
from multiunet.uncertainty.statements import state

CHUNK = 1 << 16
"""Bins of a chunk of the store."""


@dataclass(frozen=True)
class Chromosomes:
    """Prediction of chromosomes tile by tile; bins without a known base are NaN.

    Args:
        bin_size: bases a bin; the last bin of a chromosome is filled up with unknown bases.
        flank: bins of unknown bases that are read before and after a chromosome; their predictions are dropped.
    """

    predictor: GridPredictor
    bin_size: int
    flank: int

    def whole(
        self, name: str, codes: Bases, samples: int = 1, seed: int = 0, progress: Tiles | None = None
    ) -> Moments[Tensor]:
        """Return the moments of all bins, ``(tracks, bins)``, in memory."""
        shape = (len(self.predictor.task.names), self._bins(codes))
        result = Moments(torch.empty(shape), torch.empty(shape), torch.empty(shape))
        for region, piece in self._pieces(name, codes, samples, seed, progress):
            for part in ("mean", "epistemic", "aleatoric"):
                getattr(result, part)[:, region] = getattr(piece, part).cpu()
        return result

    def into(
        self,
        store: PredictionStore,
        name: str,
        codes: Bases,
        fasta: Path,
        samples: int,
        seed: int,
        progress: Tiles | None = None,
        chosen: NDArray[np.bool_] | None = None,
        place: int = 0,
    ) -> None:
        """Predict one chromosome into a store: dimension ``bin``, coordinates ``start`` and ``end`` (bases).

        Of a store that is written in parts each chromosome is of one part, for the pieces share chunks.

        Args:
            chosen: bins that are predicted, ``(bins,)``; the others are NaN. None: all.
            place: of the chromosome among all.
        """
        bins, decides = self._bins(codes), self.predictor.task.kind == "segmentation"
        starts = np.arange(bins, dtype=np.int64) * self.bin_size
        item = store.item(
            name,
            names=self.predictor.task.names,
            dims=("bin",),
            shape=(bins,),
            coords={"start": ("bin", starts), "end": ("bin", np.minimum(starts + self.bin_size, len(codes)))},
            chunks=(CHUNK,),
            decided=decides,
            per_name=decides,
            statements=self.predictor.statements,
            attrs={"chrom": name, "length": len(codes), "bin_size": self.bin_size, "fasta": Path(fasta).name},
        )
        if not item.is_claimed(place):
            return
        for first, end in [] if chosen is None else runs(~chosen):
            for start in range(first, end, CHUNK):
                stop = min(start + CHUNK, end)
                nothing = torch.full((len(self.predictor.task.names), stop - start), float("nan"))
                item.write((slice(start, stop),), Moments(nothing, nothing, nothing))

        def is_left(region: slice) -> bool:
            return item.is_left((region,), place)

        for region, piece in self._pieces(name, codes, samples, seed, progress, chosen, is_left):
            batch = piece.map(lambda part: part[None])
            stated = {name: value[0] for name, value in state(self.predictor.statements, batch).items()}
            decision = self.predictor.task.decide(batch.mean, self.predictor.calibration)
            item.write((region,), piece, None if decision is None else decision[0], stated)
            item.note((region,))
        item.finish()

    def _span(self, codes: Bases, first: int, last: int) -> tuple[int, int]:
        """Return which bins, counted from the first of the flank, are read to predict bins ``[first, last)``.

        They begin and end where coarse sites of the whole chromosome with its flanks begin: on the given strand these
        are counted from its start, on the other strand from its end.
        """
        seen, total = receptive_field(self.predictor.net), self._bins(codes) + 2 * self.flank
        reach, stride = max(-(-seen.radius[0] // self.bin_size), self.flank), seen.tile_stride[0] // self.bin_size
        low = max(0, first + self.flank - reach) // stride * stride
        return low, total - max(0, total - last - self.flank - reach) // stride * stride

    def _bins(self, codes: Bases) -> int:
        return -(-len(codes) // self.bin_size)

    def _pieces(
        self,
        name: str,
        codes: Bases,
        samples: int,
        seed: int,
        progress: Tiles | None = None,
        chosen: NDArray[np.bool_] | None = None,
        is_left: Callable[[slice], bool] = lambda region: True,
    ) -> Iterator[tuple[slice, Moments[Tensor]]]:
        bases = lazily(codes)
        for stretch in [(0, self._bins(codes))] if chosen is None else runs(chosen):
            low, high = self._span(codes, *stretch)
            origin = low - self.flank  # the bin of the chromosome that the source begins with

            def read(start: Sequence[int], stop: Sequence[int], first: int = origin * self.bin_size) -> Codes:
                return cut(bases, start[0] + first, stop[0] + first)[None]

            source = GridSource(name, ((high - low) * self.bin_size,), read, ("bin",))

            def clip(out: slice, origin: int = origin, stretch: tuple[int, int] = stretch) -> slice:
                """Return the bins of the chromosome that an output of the source is kept for."""
                return slice(max(out.start + origin, stretch[0]), min(out.stop + origin, stretch[1]))

            def is_kept(out: tuple[slice, ...], _: int, clip: Callable[[slice], slice] = clip) -> bool:
                region = clip(out[0])
                return region.start < region.stop and is_left(region)

            for (out,), piece in self.predictor.pieces(source, samples, seed, progress, is_left=is_kept):
                region = clip(out)
                first, last = region.start, region.stop
                kept = slice(first - origin - out.start, last - origin - out.start)
                here = bases[first * self.bin_size : last * self.bin_size]
                nothing = torch.from_numpy(find_unknown_bins(here, self.bin_size)).to(piece.mean.device)
                parts = (piece.mean[:, kept], piece.epistemic[:, kept], piece.aleatoric[:, kept])
                yield region, Moments(*(part.masked_fill(nothing, float("nan")) for part in parts))
