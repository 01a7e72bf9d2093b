"""Profiling of training steps beforehand: their memory, and the faster order of axes in memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from multiunet.device import computes_in_bf16
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.generation.latent import build_coder
from multiunet.domains.image.generation.training import make_batch, make_coder_batch
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.geometries.grid.memory_format import likes_channels_last
from multiunet.training.data import Sample
from multiunet.training.probe import Probe, remembered
from multiunet.training.recipe import Layout
from multiunet.training.step_memory import OPTIMIZER_SLOTS, step_memory

SHAPING = (
    *("model", "encoder", "widths", "normalization", "residual", "skip", "dropout"),
    *("gradient_checkpointing", "memory_format", "loss", "class_weights", "adversarial"),
)
"""Settings that a network and its loss are built from, beside the data."""

Build = Callable[[ImageTrain, ImageInfo], Model]


class Profiler:
    """Profiler of networks on a device; a network of one shape is built once for all questions.

    Args:
        build: of a network, untrained.
    """

    def __init__(self, build: Build, device: torch.device) -> None:
        self._build, self._device = build, device
        self._last: tuple[str, Model] | None = None

    def estimate_step_memory(self, config: ImageTrain, info: ImageInfo) -> int:
        """Return the bytes of a training step and all that stays beside it."""
        model, device = self._model(config, info), torch.device("meta")
        steps: list[tuple[nn.Module, Sample[Tensor]]] = [(model.net, _make_batch(config, info, device))]
        if info.generation is not None and info.generation.latent is not None:
            steps.append((build_coder(config, info), make_coder_batch(config, info, device)))
        return max(
            step_memory(
                net,
                model.task,
                model.geometry,
                batch,
                bf16=computes_in_bf16(config.precision, self._device),
                copies=OPTIMIZER_SLOTS[config.optimizer] + (config.ema > 0) + len(config.power_averages),
                cpu=self._device.type == "cpu",
                opponent=model.opponent,
            )
            for net, batch in steps
        )

    def choose_layout(self, config: ImageTrain, info: ImageInfo) -> Layout:
        """Return the order of axes in memory in which a step takes less time, as timed once on this machine."""
        model = self._model(config, info)
        # never one sample: torch convolves a single volume another way
        batch = _make_batch(config.model_copy(update={"batch_size": min(2, config.batch_size)}), info, self._device)
        bf16 = computes_in_bf16(config.precision, self._device)
        last = likes_channels_last(model.net, info.ndim)
        expected: Layout = "channels-last" if last else "contiguous"
        other: Layout = "contiguous" if last else "channels-last"

        def ask() -> bool:
            rival = self._build(config.model_copy(update={"memory_format": other}), info)
            return Probe(model.task, model.geometry, batch, self._device, bf16).prefers(rival.net, model.net)

        shape = tuple(batch.field.shape)
        question = f"{other}: {model.net} {config.gradient_checkpointing} {shape} {bf16} {self._device.type}"
        return other if remembered(question, ask) else expected

    def _model(self, config: ImageTrain, info: ImageInfo) -> Model:
        """Return the network of these settings; the one of the last question where it would be the same."""
        key = repr([getattr(config, name) for name in SHAPING] + [info.strides])
        if self._last is None or self._last[0] != key:
            self._last = key, self._build(config, info)
        return self._last[1]


def _make_batch(config: ImageTrain, info: ImageInfo, device: torch.device) -> Sample[Tensor]:
    """Return a batch of the shapes and types of training."""
    if info.generation is not None:
        return make_batch(config, info, device)
    space = info.patch_size
    by_name = info.regression or info.overlapping is not None  # not one class a pixel
    target = (config.batch_size, *([len(info.target.names)] if by_name else []), *space)
    kind = torch.float32 if by_name else torch.int64
    return Sample(
        torch.zeros(config.batch_size, info.channels, *space, device=device),
        torch.zeros(target, dtype=kind, device=device),
        torch.ones(target, device=device) if config.instances and config.border_weight else None,
    )
