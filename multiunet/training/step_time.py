"""Time that a training step takes, tried before the training."""

from __future__ import annotations

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

LONG_SECONDS = 10.0
"""Seconds of a first step beyond which no second one is tried, though the first makes what later ones find."""


def measure_step(
    net: nn.Module, task: Objective, geometry: Geometry[Any], data: TrainingData[Any], recipe: Recipe
) -> float:
    """Return the seconds of a step of ``fit``, tried twice, without the few of its optimiser.

    Raises:
        InputError: when a sample cannot be drawn.
    """
    device = pick_device(recipe.device)
    bf16 = computes_in_bf16(recipe.precision, device)
    net.to(device).train()
    batches = iter(make_loader(data, geometry, EpochSampler(len(data), recipe.batch_size, 2, recipe.seed), 0, 0))
    seconds = 0.0
    for _ in range(2):
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
        seconds = time.perf_counter() - started
        if seconds > LONG_SECONDS:
            break
    net.zero_grad()
    return seconds * recipe.accumulate
