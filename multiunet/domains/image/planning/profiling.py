"""What a training step takes, tried out before the first one: its memory, and which layout of memory is faster."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from multiunet.device import computes_in_bf16
from multiunet.domains.domain import Facts, Model
from multiunet.domains.image.config import ImageTrain
from multiunet.geometries.grid.memory_format import likes_channels_last
from multiunet.training.data import Sample
from multiunet.training.probe import Probe, remembered
from multiunet.training.recipe import Layout
from multiunet.training.step_memory import OPTIMIZER_SLOTS, step_memory

Build = Callable[[ImageTrain, Facts], Model]


def estimate_step_memory(model: Model, config: ImageTrain, facts: Facts, device: torch.device) -> int:
    """Bytes of a training step and all that stays beside it."""
    return step_memory(
        model.net,
        model.task,
        model.geometry,
        _make_batch(config, facts, torch.device("meta")),
        bf16=computes_in_bf16(config.precision, device),
        copies=OPTIMIZER_SLOTS[config.optimizer] + (config.ema > 0),
        cpu=device.type == "cpu",
    )


def choose_layout(build: Build, config: ImageTrain, facts: Facts, device: torch.device) -> Layout:
    """The order of axes in memory in which a step takes less time, as timed once on this machine."""
    model = build(config, facts)
    # never one sample: torch convolves a single volume another way
    batch = _make_batch(config.model_copy(update={"batch_size": min(2, config.batch_size)}), facts, device)
    bf16 = computes_in_bf16(config.precision, device)
    last = likes_channels_last(model.net, facts["ndim"])
    expected: Layout = "channels-last" if last else "contiguous"
    other: Layout = "contiguous" if last else "channels-last"

    def ask() -> bool:
        rival = build(config.model_copy(update={"memory_format": other}), facts)
        return Probe(model.task, model.geometry, batch, device, bf16).prefers(rival.net, model.net)

    question = f"{other}: {model.net} {config.gradient_checkpointing} {tuple(batch.field.shape)} {bf16} {device.type}"
    return other if remembered(question, ask) else expected


def _make_batch(config: ImageTrain, facts: Facts, device: torch.device) -> Sample[Tensor]:
    """Of the shapes and types of training."""
    space = facts["patch_size"]
    target = (config.batch_size, *([len(facts["targets"])] if facts["task"] == "regression" else []), *space)
    kind = torch.float32 if facts["task"] == "regression" else torch.int64
    return Sample(
        torch.zeros(config.batch_size, facts["channels"], *space, device=device),
        torch.zeros(target, dtype=kind, device=device),
        torch.ones(target, device=device) if config.instances and config.border_weight else None,
    )
