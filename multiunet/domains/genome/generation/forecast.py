"""Forecast of a sampling of DNA: how long, how many rounds, how much time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from multiunet.domains.genome.generation.making import Maker
from multiunet.domains.genome.generation.requests import Request
from multiunet.wording import counted, duration


def forecast_bases(maker: Maker, requests: Sequence[Request], count: int) -> dict[str, str]:
    """Return what will be made and what it takes, a line each by its subject; a tile is tried."""
    batches = list(maker.batches(requests, count))
    longest = max(requests, key=lambda request: request.length)
    first = next(batch for batch in batches if batch.request is longest)
    tiles = maker.plan(longest.length)
    unknown = -torch.ones(len(first.numbers), tiles[0].stop[0] - tiles[0].start[0], dtype=torch.int8)
    seconds = 0.0
    for _ in range(2):  # what is made once is not counted
        started = time.perf_counter()
        maker.advance(unknown, 0, maker.plan(unknown.shape[1]), first.numbers)
        seconds = (time.perf_counter() - started) / unknown.numel()
    bases = sum(batch.request.length * len(batch.numbers) for batch in batches)
    return {
        "length": f"{longest.length:,} bases" + ("" if len(requests) == 1 else ", the longest"),
        "rounds": f"{maker.steps}, each a pass of the network",
        "tiles": "each sample whole" if len(tiles) == 1 else f"the longest in {counted(len(tiles), 'tile')}",
        "time": f"about {duration(seconds * bases * maker.steps)}, by one pass that was tried",
    }
