"""Forecast of a sampling of images: their size, passes of the network, memory and time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from multiunet.diffusion import SOLVERS, Sampler
from multiunet.domains.image.generation.making import HELD, Batch, Maker
from multiunet.domains.image.generation.requests import Request
from multiunet.memory import amount, process_memory
from multiunet.prediction.tile_memory import FIXED_MEMORY
from multiunet.prediction.tiles import Tile
from multiunet.wording import counted, duration


def forecast_images(maker: Maker, requests: Sequence[Request]) -> dict[str, str]:
    """Return what will be made and what it takes, a line each by its subject; a tile is tried."""
    options, batches = maker.options, maker.batches(requests)
    largest = max(requests, key=lambda request: math.prod(request.space))
    first = next(batch for batch in batches if batch.request is largest)
    tiles = maker.tiles(largest)
    passes, guided = count_passes(maker, first), any(request.guidance != 1 for request in requests)
    alike = len({request.space for request in requests}) == 1
    twice = ", each twice for guidance" if guided else ""
    work = sum(count_passes(maker, b) * len(b.numbers) * _count_sites(maker.tiles(b.request)) for b in batches)
    seconds = work * _measure_pass(maker, first, tiles[0])
    images = HELD * torch.float32.itemsize * len(maker.model.task.names) * math.prod(largest.space) * len(first.numbers)
    return {
        "size": f"{' x '.join(map(str, largest.space))} pixels{'' if alike else ', the largest'}",
        "steps": f"{options.steps} of {options.sampler}: {counted(passes, 'pass', 'passes')} of the network{twice}",
        "tiles": "each image whole" if len(tiles) == 1 else f"the largest image in {len(tiles)} tiles",
        "memory": f"about {amount(process_memory() + FIXED_MEMORY + images)} and what the network takes for a tile",
        "time": f"about {duration(seconds)}, by one pass that was tried",
    }


def count_passes(maker: Maker, batch: Batch) -> int:
    """Return how often the network computes each of its tiles for the samples of a batch."""
    sampler = Sampler(maker.sigmas(batch), SOLVERS[maker.options.sampler](), maker.known(batch))
    down = [target for sigma, target in sampler.moves if target < sigma]
    return sum(2 if maker.options.sampler == "heun" and target > 0 else 1 for target in down)


def _count_sites(tiles: Sequence[Tile]) -> int:
    return sum(math.prod(b - a for a, b in zip(tile.start, tile.stop)) for tile in tiles)


def _measure_pass(maker: Maker, batch: Batch, tile: Tile) -> float:
    """Return the seconds that the network takes for a site of a sample."""
    denoise = replace(maker.batch_denoiser(batch), plan=[tile])
    x = torch.zeros(len(batch.numbers), *maker.shape(batch.request.space))
    for _ in range(2):  # what is made once is not counted
        started = time.perf_counter()
        denoise(x, 1.0)
    return (time.perf_counter() - started) / (len(batch.numbers) * _count_sites([tile]))
