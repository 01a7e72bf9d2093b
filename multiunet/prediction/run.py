"""Prediction of inputs on grids, tile by tile, with memory bounded by the tile."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.core.receptive_field import ReceptiveField, receptive_field
from multiunet.geometries.grid.grid import Grid
from multiunet.prediction.behind import work_behind
from multiunet.prediction.field import count_samples, predict_field
from multiunet.prediction.item_writer import ItemWriter, Region, starts_of
from multiunet.prediction.source import GridSource
from multiunet.prediction.store import PredictionStore
from multiunet.prediction.tiles import Margin, Tile, batches, bound_sites, chunks_of, core_sides, mirrored, tiles
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.statements import Statement, state

logger = logging.getLogger("multiunet.prediction")

READ_SITES = 1 << 22
"""Sites of a tile with its halo, unless told otherwise: about 5 GB for a network 32 channels wide; see ``memory``."""

Kept = tuple[int | slice, ...]
Tiles = Callable[[int, int], None]
"""Function that is called with the number of tiles that are done, and of all."""

WatchRegion = Callable[[int, Region, Tensor], None]
"""Function that is called with the number of a Monte-Carlo sample, a region of the output, and the sample's mean there,
``(names, *region)``."""

IsLeft = Callable[[Region, int], bool]
"""Function that says whether a region is to be predicted, given its place among all."""

Encode = Callable[[Tensor], Tensor]
"""Function that makes what is kept of a sample, integers below 256, of its mean ``(names, *region)``.

They are ``region``, or ``(layers, *region)``."""


@dataclass(frozen=True)
class GridPredictor:
    """Network on a grid, ready to predict inputs of any size.

    Each output site is computed once, from a tile read with the halo that the network's receptive field needs; the
    result equals that of the whole input at once, to rounding, where ``receptive_field(net).exact``. Of other networks,
    whose norms or blocks look at all sites, several tiles approximate it, and a warning says so.
    Monte-Carlo masks are those of the whole, too, so the variances agree as well.

    Args:
        margin: sites by which an input is mirrored beyond its borders (Ronneberger et al. 2015), unless its source
            gives what lies there; 0: none.
        tile: the largest side of a tile's core in input sites; None: as large as ``sites`` allow.
        sites: how many input sites a tile with its halo may have.
        bf16: compute the network in it; moments are those of its outputs in float32.
        batch: tiles a forward; None: one on the CPU, else as many as ``sites`` allow.
        calibration: correction of the moments, the same at every site.
        statements: what ``into`` stores beside the moments.
    """

    net: nn.Module
    task: Task
    geometry: Grid
    device: torch.device
    margin: int = 0
    tile: int | None = None
    sites: int = READ_SITES
    batch: int | None = None
    bf16: bool = False
    calibration: Calibration | None = None
    statements: tuple[Statement, ...] = ()

    def plan(self, shape: tuple[int, ...], beyond: Sequence[Margin] | None = None) -> list[Tile]:
        """Return the tiles of an input of this shape.

        Args:
            beyond: see ``GridSource``.
        """
        print_ = self.seen
        margins = [(self.margin, self.margin)] * len(shape) if beyond is None else beyond
        sites = bound_sites(self.sites, print_)
        sides = core_sides(shape, print_, margins, sites) if self.tile is None else (self.tile,) * len(shape)
        planned = tiles(shape, print_, margins, sides)
        if len(planned) > 1 and not print_.exact:
            warn_of_inexact_tiles()
        return planned

    def pieces(
        self,
        source: GridSource,
        samples: int = 1,
        seed: int = 0,
        progress: Tiles | None = None,
        watch: WatchRegion | None = None,
        is_left: IsLeft | None = None,
    ) -> Iterator[tuple[Region, Moments[Tensor]]]:
        """Output regions that partition the output, each with its moments ``(len(task.names), *region)``.

        Args:
            watch: sees each sample of each region.
            is_left: says which regions are to be predicted; None: all.
        """
        whole = self.plan(source.shape, source.beyond)
        plan = [tile for place, tile in enumerate(whole) if is_left is None or is_left(tile.out, place)]
        given = None if source.condition is None else source.condition.to(self.device)
        done = len(whole) - len(plan)
        for batch in batches(plan, self._batch(plan)):
            field = torch.cat([self._field(source, tile) for tile in batch])
            kept: list[Kept] = [(place, slice(None), *tile.keep) for place, tile in enumerate(batch)]
            look = None if watch is None else partial(_each, watch, [tile.out for tile in batch], kept)
            condition = None if given is None else given.repeat(len(batch))
            with self.autocast():
                moments = predict_field(
                    *(self.net, self.task, self.geometry, field, samples, seed, look, condition),
                    calibration=self.calibration,
                )
            for tile, one in zip(batch, kept):
                yield tile.out, moments.map(lambda part: part[one])  # noqa: B023  called at once
                done += 1
                if progress is not None:
                    progress(done, len(whole))

    def autocast(self) -> torch.autocast:
        """Return the context in which the network computes."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _field(self, source: GridSource, tile: Tile) -> Tensor:
        if source.beyond is None:
            window = mirrored(source.read, source.shape, tile.start, tile.stop)
        else:
            window = source.read(tile.start, tile.stop)
        return torch.from_numpy(np.ascontiguousarray(window))[None].to(self.device)

    def _batch(self, plan: list[Tile]) -> int:
        if self.batch is not None:
            return self.batch
        largest = max((math.prod(b - a for a, b in zip(tile.start, tile.stop)) for tile in plan), default=1)
        return 1 if self.device.type == "cpu" else max(1, self.sites // largest)

    def whole(
        self,
        source: GridSource,
        samples: int = 1,
        seed: int = 0,
        progress: Tiles | None = None,
        watch: WatchRegion | None = None,
    ) -> Moments[Tensor]:
        """Predict the moments of the whole output, ``(len(task.names), *space)``, in memory, on the CPU.

        Args:
            watch: sees each sample of each region.
        """
        shape = (len(self.task.names), *self.output_shape(source.shape))
        result = Moments(torch.empty(shape), torch.empty(shape), torch.empty(shape))
        for region, piece in self.pieces(source, samples, seed, progress, watch):
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
        encode: Encode | None = None,
        place: int = 0,
        layers: int = 1,
    ) -> ItemWriter:
        """Write the prediction of one input into the store, piece by piece; return its place there.

        What the store's ledger says is written already is not computed again. Of a store that is written in parts, only
        the pieces of this part are.

        Args:
            encode: what to keep of each sample until ``ItemWriter.finish``; None: nothing.
            place: of the input among all.
            layers: that ``encode`` makes.
        """
        decides = self.task.kind == "segmentation"
        count = count_samples(self.net, samples)
        item = store.item(
            source.name,
            names=self.task.names,
            dims=source.dims,
            shape=self.output_shape(source.shape),
            coords=source.coords,
            chunks=chunks_of(self.plan(source.shape, source.beyond)),
            decided=decides,
            per_name=decides and is_per_name(self.task),
            statements=self.statements,
            sample_maps=0 if encode is None else count,
            sample_layers=layers,
            attrs=source.attrs,
        )
        counts: dict[tuple[int, ...], Tensor] = {}

        def watch(t: int, region: Region, mean: Tensor) -> None:
            if decides:
                of_region = counts.setdefault(starts_of(region), torch.zeros(count, len(self.task.names)).long())
                of_region[t] = count_decided(self.task, mean, self.calibration).cpu()
            if encode is not None:
                item.write_sample(t, region, encode(mean))

        def write(piece: tuple[Region, Moments[Tensor]]) -> None:
            self.write(item, *piece)
            item.note(piece[0], counts.pop(starts_of(piece[0])).tolist() if decides else None)

        def is_left(region: Region, tile: int) -> bool:
            return item.is_left(region, place + tile)

        watched = watch if decides or encode is not None else None
        work_behind(self.pieces(source, samples, seed, progress, watched, is_left), write)
        if decides and item.is_due:
            total = torch.tensor(list(item.noted())).sum(dim=0)
            item.write_fractions(total.double() / math.prod(self.output_shape(source.shape)))
        return item

    def write(self, item: ItemWriter, region: Region, moments: Moments[Tensor]) -> None:
        """Write a region's moments, ``(len(task.names), *region)``, and what is decided and stated."""
        batch = moments.map(lambda part: part[None])
        decision = self.task.decide(batch.mean, self.calibration)
        stated = {name: value[0] for name, value in state(self.statements, batch).items()}
        item.write(region, moments, None if decision is None else decision[0], stated)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sites of the output by axis."""
        return tuple(-(-n // r) for n, r in zip(shape, self.seen.output_stride))

    @cached_property
    def seen(self) -> ReceptiveField:
        """The network's receptive field."""
        return receptive_field(self.net)


def is_per_name(task: Task) -> bool:
    """Return True where each name of a task is decided by itself: labels that do not exclude each other."""
    return getattr(task, "labels", None) == "multilabel"


def count_decided(task: Task, mean: Tensor, calibration: Calibration | None = None) -> Tensor:
    """Return how many sites are decided for each name, ``(names,)``.

    Args:
        task: of classes or labels.
        mean: probabilities, ``(names, *space)``.
        calibration: by whose thresholds they are decided.
    """
    decision = task.decide(mean[None], calibration)
    assert decision is not None
    if is_per_name(task):
        return decision[0].flatten(1).sum(dim=1)
    return torch.bincount(decision.flatten(), minlength=len(mean))


def _each(watch: WatchRegion, regions: list[Region], kept: list[Kept], t: int, mean: Tensor) -> None:
    """Show the parts of a batch's mean one after the other."""
    for region, part in zip(regions, kept):
        watch(t, region, mean[part])


@cache  # once is enough
def warn_of_inexact_tiles() -> None:
    """Warn, once, that tiles only approximate the whole."""
    logger.warning(
        "the network has norms or blocks that look at all sites of an input, so tiles only approximate the prediction "
        "of the whole; allow larger tiles (`tile_size`, `memory`), or train with batch normalisation, attention within "
        "windows, and an encoder of convolutions alone"
    )
