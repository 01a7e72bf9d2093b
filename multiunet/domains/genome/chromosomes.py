"""Prediction of whole chromosomes, with unknown bases beyond their ends, as in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.genome.bases import Bases, Codes, lazily
from multiunet.domains.genome.regions import runs
from multiunet.domains.genome.sequence import cut, find_unknown_bins
from multiunet.prediction import GridPredictor, GridSource, PredictionStore
from multiunet.prediction.behind import work_behind
from multiunet.prediction.item_writer import Region
from multiunet.prediction.run import Tiles
from multiunet.prediction.tiles import chunks_of
from multiunet.uncertainty import Moments

CHUNK = 1 << 16
"""Bins that are read at a time of a stored prediction."""


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
        for (region,), piece in self._pieces(name, codes, samples, seed, progress):
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

        Of a store that is written in parts each chromosome is of one part.

        Args:
            chosen: bins that are predicted, ``(bins,)``; the others are NaN. None: all.
            place: of the chromosome among all.
        """
        bins, decides = self._bins(codes), self.predictor.task.kind == "segmentation"
        whole = self._source(name, codes, 0, bins)
        (chunk,) = chunks_of(self.predictor.plan(whole.shape, whole.beyond))
        starts = np.arange(bins, dtype=np.int64) * self.bin_size
        item = store.item(
            name,
            names=self.predictor.task.names,
            dims=("bin",),
            shape=(bins,),
            coords={"start": ("bin", starts), "end": ("bin", np.minimum(starts + self.bin_size, len(codes)))},
            chunks=(chunk,),
            decided=decides,
            per_name=decides,
            statements=self.predictor.statements,
            attrs={"chrom": name, "length": len(codes), "bin_size": self.bin_size, "fasta": Path(fasta).name},
        )
        if not item.is_claimed(place):
            return
        for first, end in [] if chosen is None else runs(~chosen):
            for start in range(first, end, chunk):
                stop = min(start + chunk, end)
                nothing = torch.full((len(self.predictor.task.names), stop - start), float("nan"))
                item.write((slice(start, stop),), Moments(nothing, nothing, nothing))

        def is_left(region: Region) -> bool:
            return item.is_left(region, place)

        def write(piece: tuple[Region, Moments[Tensor]]) -> None:
            self.predictor.write(item, *piece)
            item.note(piece[0])

        work_behind(self._pieces(name, codes, samples, seed, progress, chosen, is_left), write)
        item.finish()

    def _source(self, name: str, codes: Bases, first: int, last: int) -> GridSource:
        """Return bins ``[first, last)`` as an input, with what is read beside them.

        That begins and ends where coarse sites of the whole chromosome with its flanks begin: on the given strand these
        are counted from its start, on the other strand from its end.
        """
        bases, seen, behind = lazily(codes), self.predictor.seen, self._bins(codes) - last
        reach, stride = max(-(-seen.radius[0] // self.bin_size), self.flank), seen.tile_stride[0] // self.bin_size
        # how many bins there are, and how many of them are not read
        sides = [(n + self.flank, max(0, n + self.flank - reach) // stride * stride) for n in (first, behind)]
        before, after = ((there - left) * self.bin_size for there, left in sides)
        origin = first * self.bin_size

        def read(start: Sequence[int], stop: Sequence[int]) -> Codes:
            return cut(bases, start[0] + origin, stop[0] + origin)[None]

        return GridSource(name, ((last - first) * self.bin_size,), read, ("bin",), beyond=((before, after),))

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
        is_left: Callable[[Region], bool] = lambda region: True,
    ) -> Iterator[tuple[Region, Moments[Tensor]]]:
        bases = lazily(codes)
        for first, last in [(0, self._bins(codes))] if chosen is None else runs(chosen):

            def place(out: Region, first: int = first) -> Region:
                """Return the bins of the chromosome that those of the source are."""
                return (slice(out[0].start + first, out[0].stop + first),)

            def is_kept(out: Region, _: int, place: Callable[[Region], Region] = place) -> bool:
                return is_left(place(out))

            source = self._source(name, bases, first, last)
            for out, piece in self.predictor.pieces(source, samples, seed, progress, is_left=is_kept):
                (region,) = place(out)
                here = bases[region.start * self.bin_size : region.stop * self.bin_size]
                nothing = torch.from_numpy(find_unknown_bins(here, self.bin_size)).to(piece.mean.device)
                yield (region,), piece.map(lambda part: part.masked_fill(nothing, float("nan")))  # noqa: B023
