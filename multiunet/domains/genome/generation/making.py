"""Making of new DNA, batch by batch, in rounds that reveal more and more bases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from multiunet.device import computes_in_bf16, pick_device
from multiunet.diffusion import MaskedModel, MaskedState, SiteNoise, State, Unmasker
from multiunet.domains.genome.config import GenomeSample, GenomeTrain
from multiunet.domains.genome.generation.data import as_classes
from multiunet.domains.genome.generation.requests import Request
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.model import Model
from multiunet.domains.sample_tiles import Trained, plan_tiles
from multiunet.domains.unfinished import Unfinished
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.prediction.tiles import Tile
from multiunet.progress import Progress

MOST_SAMPLES = 64
"""Samples made at once, at most."""


@dataclass(frozen=True)
class Batch:
    """Samples of one request that are made at once.

    Attributes:
        numbers: of the samples, from 0; the random numbers of each follow from the seed and its number.
    """

    request: Request
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Maker:
    """Maker of new DNA with a trained generator, tile by tile, in bounded memory.

    Args:
        steps, temperature: see ``Unmasker``.
        sites: bases that the network computes at once, at most.
        tile_size: largest tile without its halo; None: as ``sites`` allow.
        bf16: compute the network in it.
        window: bases of a training window; None: samples are not compared with it.
    """

    model: Model
    steps: int
    temperature: float
    seed: int
    device: torch.device
    sites: int
    tile_size: int | None = None
    bf16: bool = False
    window: int | None = None

    def batches(self, requests: Sequence[Request], count: int) -> Iterator[Batch]:
        """Share ``count`` samples of each request out among batches."""
        for request in requests:
            most = max(1, min(MOST_SAMPLES, self.sites // request.length))
            for first in range(0, count, most):
                yield Batch(request, tuple(range(first, min(first + most, count))))

    def make(
        self, batch: Batch, place: int = 0, kept: Unfinished | None = None, progress: Progress | None = None
    ) -> Tensor:
        """Make the samples of a batch: classes of bases, ``(N, length)`` of int8.

        Args:
            place: of the batch among all.
            kept: has the state that it was left in, if any.
        """
        request, rows = batch.request, len(batch.numbers)
        known = -torch.ones(request.length) if request.known is None else as_classes(request.known)
        before = None if kept is None else kept.read_state(place)
        state = State(known.to(torch.int8).repeat(rows, 1)) if before is None else before
        plan = self.plan(request.length)
        with nullcontext() if kept is None else kept.saving_when_stopped(place, lambda: state):
            while state.done < self.steps:
                state = State(self.advance(state.x, state.done, plan, batch.numbers), state.done + 1)
                if kept is not None:
                    kept.save_when_due(place, state)
                if progress is not None:
                    progress.update_tiles(state.done, self.steps)
        return state.x

    def advance(self, labels: Tensor, done: int, plan: Sequence[Tile], numbers: Sequence[int]) -> Tensor:
        """Return the bases one round later; each tile is read as all were before the round."""
        geometry = self.model.geometry
        unmasker = Unmasker(geometry, self.steps, temperature=self.temperature)
        noise = SiteNoise(geometry, self.seed)
        result = labels.clone()
        for tile in plan:
            out, keep = tile.out[0], tile.keep[0]
            if not (labels[:, out] < 0).any():
                continue
            window = labels[:, tile.start[0] : tile.stop[0]].to(self.device, torch.int64)
            field = torch.empty(len(labels), 0, window.shape[1], device=self.device)
            guess = MaskedModel(self.model.net, 4, geometry).on(field)
            uniform = noise.uniform_on(field, numbers, start=tile.start)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                found = unmasker.advance(field, guess, uniform, MaskedState(window, done)).labels
            result[:, out] = found[:, keep].to(result)
        return result

    def plan(self, length: int) -> list[Tile]:
        """Return the tiles that a sample is made of."""
        trained = None if self.window is None else Trained((self.window,), "window", "length")
        return plan_tiles(self.model.net, (length,), self.sites, self.tile_size, trained)


def make_maker(
    model: Model, config: GenomeTrain, info: GenomeInfo, options: GenomeSample, kept: Unfinished | None
) -> Maker:
    """Return the maker that the options describe.

    Args:
        kept: what an interrupted sampling decided; None: nothing is decided by it.

    Raises:
        InputError: for too little memory.
    """
    device = pick_device(options.device)
    bf16 = computes_in_bf16(config.precision, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        found = partial(count_sites, model, options.memory, device)
        sites = found() if kept is None else kept.agree("sites", found)
    return Maker(
        model, options.steps, options.temperature, options.seed, device, sites, options.tile_size, bf16, info.window
    )


def count_sites(model: Model, memory: int | None, device: torch.device) -> int:
    """Return the bases that the network may compute at once, as the memory allows.

    Raises:
        InputError: for too little memory.
    """
    return max(1, compute_max_sites(memory, model.net, model.task, model.geometry, 5, 1, device))
