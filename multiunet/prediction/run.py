"""Prediction of inputs on grids, tile by tile, with memory bounded by the tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.geometries.footprint import Footprint, footprint
from multiunet.geometries.grid import Grid
from multiunet.prediction.field import Watch, count_samples, predict_field
from multiunet.prediction.source import GridSource
from multiunet.prediction.store import ItemWriter, PredictionStore
from multiunet.prediction.tiles import Tile, core_side, mirrored, tiles
from multiunet.tasks import Task
from multiunet.uncertainty import Moments

READ_SITES = 1 << 22
"""Sites of a tile with its halo, unless told otherwise: about 3 GiB for a network 32 channels wide."""

Region = tuple[slice, ...]
Tiles = Callable[[int, int], None]
"""Called with how many tiles are done, and of how many."""


@dataclass(frozen=True)
class GridPredictor:
    """A network on a grid, ready to predict inputs of any size.

    Each output site is computed once, from a tile read with the halo that the network's receptive field needs; the
    result equals that of the whole input at once (to rounding; exactly where ``footprint(net).exact``). Monte-Carlo
    masks are those of the whole, too, so the variances agree as well.

    Args:
        margin: sites by which the input is mirrored beyond its borders (Ronneberger et al. 2015); 0: none.
        tile: the largest side of a tile's core in input sites; None: as large as ``sites`` allow.
        sites: how many input sites a tile with its halo may have.
    """

    net: nn.Module
    task: Task
    geometry: Grid
    device: torch.device
    margin: int = 0
    tile: int | None = None
    sites: int = READ_SITES

    def plan(self, shape: tuple[int, ...]) -> list[Tile]:
        """The tiles of an input of this shape."""
        print_ = self._footprint()
        margin = (self.margin,) * len(shape)
        side = core_side(shape, print_, margin, self.sites) if self.tile is None else self.tile
        return tiles(shape, print_, margin, (side,) * len(shape))

    def pieces(
        self,
        source: GridSource,
        samples: int = 1,
        seed: int = 0,
        progress: Tiles | None = None,
        watch: Watch | None = None,
    ) -> Iterator[tuple[Region, Moments[Tensor]]]:
        """Output regions that partition the output, each with its moments ``(len(task.names), *region)``.

        Args:
            watch: sees each sample of each region, ``(len(task.names), *region)``.
        """
        plan = self.plan(source.shape)
        for done, tile in enumerate(plan, start=1):
            window = mirrored(source.read, source.shape, tile.start, tile.stop)
            field = torch.from_numpy(np.ascontiguousarray(window))[None].to(self.device)
            kept: tuple[int | slice, ...] = (0, slice(None), *tile.keep)
            look = None if watch is None else lambda t, mean, kept=kept: watch(t, mean[kept])
            moments = predict_field(self.net, self.task, self.geometry, field, samples, seed, look)
            yield tile.out, Moments(moments.mean[kept], moments.epistemic[kept], moments.aleatoric[kept])
            if progress is not None:
                progress(done, len(plan))

    def whole(self, source: GridSource, samples: int = 1, seed: int = 0) -> Moments[Tensor]:
        """The moments of the whole output, ``(len(task.names), *space)``, in memory, on the CPU."""
        shape = (len(self.task.names), *self.output_shape(source.shape))
        result = Moments(torch.empty(shape), torch.empty(shape), torch.empty(shape))
        for region, piece in self.pieces(source, samples, seed):
            for name in ("mean", "epistemic", "aleatoric"):
                getattr(result, name)[(slice(None), *region)] = getattr(piece, name).cpu()
        return result

    def into(
        self,
        store: PredictionStore,
        source: GridSource,
        samples: int = 1,
        seed: int = 0,
        progress: Tiles | None = None,
    ) -> ItemWriter:
        """Writes the prediction of one input into the store, piece by piece; returns its place there."""
        plan = self.plan(source.shape)
        chunks = tuple(
            max(tile.out[axis].stop - tile.out[axis].start for tile in plan) for axis in range(len(source.shape))
        )
        decides = self.task.kind == "segmentation"
        item = store.item(
            source.name,
            names=self.task.names,
            dims=source.dims,
            shape=self.output_shape(source.shape),
            coords=source.coords,
            chunks=tuple(min(chunk, 1024) for chunk in chunks),
            decided=decides,
            per_name=decides and getattr(self.task, "labels", None) == "multilabel",
            attrs=source.attrs,
        )
        counts = torch.zeros(count_samples(self.net, samples), len(self.task.names), dtype=torch.int64)

        def count(t: int, mean: Tensor) -> None:
            counts[t] += self._decided(mean).flatten(1).sum(dim=1).cpu()

        for region, moments in self.pieces(source, samples, seed, progress, count if decides else None):
            decision = self.task.decide(moments.mean[None])
            item.write(region, moments, None if decision is None else decision[0])
        if decides:
            item.write_fractions(counts.double() / math.prod(self.output_shape(source.shape)))
        return item

    def _decided(self, mean: Tensor) -> Tensor:
        """Whether a site is decided for each name, ``(len(task.names), *space)``."""
        decision = self.task.decide(mean[None])
        assert decision is not None
        if decision.ndim == mean.ndim + 1:
            return decision[0].bool()
        return nn.functional.one_hot(decision[0], len(mean)).movedim(-1, 0).bool()

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Sites of the output by axis."""
        return tuple(-(-n // r) for n, r in zip(shape, self._footprint().reduction))

    def _footprint(self) -> Footprint:
        return footprint(self.net)
