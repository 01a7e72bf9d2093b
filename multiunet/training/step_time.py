"""Time that a training step takes, tried before the training."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import nn

from multiunet.core import Geometry
from multiunet.device import computes_in_bf16, pick_device
from multiunet.tasks import Objective
from multiunet.training.data import TrainingData
from multiunet.training.loader import EpochSampler, make_loader
from multiunet.training.recipe import Recipe
from multiunet.training.supervision import supervised_loss, supervised_outputs

TRIED_STEPS = 4
"""Number of steps that are tried; the first makes what later ones find, and counts only if it is the only one."""

LONG_SECONDS = 6.0
"""Seconds after which no further step is tried."""


def measure_step(
    net: nn.Module, task: Objective, geometry: Geometry[Any], data: TrainingData[Any], recipe: Recipe
) -> float:
    """Return the seconds of a step of ``fit``, the median of a few, without the little of its optimiser.

    Raises:
        InputError: when a sample cannot be drawn.
    """
    device = pick_device(recipe.device)
    bf16 = computes_in_bf16(recipe.precision, device)
    net.to(device).train()
    batches = iter(
        make_loader(data, geometry, EpochSampler(len(data), recipe.batch_size, TRIED_STEPS, recipe.seed), 0, 0)
    )
    seconds: list[float] = []
    while len(seconds) < TRIED_STEPS and sum(seconds) < LONG_SECONDS:
        started = time.perf_counter()
        batch = next(batches)
        if isinstance(batch, Exception):
            raise batch
        batch = batch.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            outputs = supervised_outputs(net, batch)
            loss = supervised_loss(net, task, geometry, outputs, batch)
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    net.zero_grad()
    return statistics.median(seconds[1:] or seconds) * recipe.accumulate
