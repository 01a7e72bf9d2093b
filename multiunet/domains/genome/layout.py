"""Choice of the order of axes in memory, by a short timing, and kept for a run that goes on."""

from __future__ import annotations

from collections.abc import Callable

import torch

from multiunet.device import computes_in_bf16, pick_device
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.model import Model, Planned
from multiunet.training.data import Sample
from multiunet.training.probe import Probe, remembered

Build = Callable[[GenomeTrain, GenomeInfo], Model]


def restore_layout(
    planned: Planned[GenomeTrain, GenomeInfo], before: GenomeInfo | None
) -> Planned[GenomeTrain, GenomeInfo]:
    """Return a plan with the layout of the run that goes on, whose bits it must have."""
    if before is None or before.memory_format is None:
        return planned
    layout = planned.config.memory_format or before.memory_format
    config = planned.config.model_copy(update={"memory_format": layout})
    return Planned(config, planned.info.model_copy(update={"memory_format": before.memory_format}), planned.budget)


def tune_layout(planned: Planned[GenomeTrain, GenomeInfo], build: Build) -> Planned[GenomeTrain, GenomeInfo]:
    """Choose the layout that the settings leave open: channels-last where it is clearly faster."""
    config, info = planned.config, planned.info
    if config.memory_format is not None or info.generates:
        return planned
    device, model = pick_device(config.device), build(config, info)
    bf16 = computes_in_bf16(config.precision, device)
    count, bins = min(2, config.batch_size), config.bins_of_window()
    batch = Sample(
        torch.zeros(count, 1, bins * config.bin_size, dtype=torch.uint8, device=device),
        torch.zeros(count, len(model.task.names), bins, device=device),
    )

    def ask() -> bool:
        rival = build(config.model_copy(update={"memory_format": "channels-last"}), info)
        return Probe(model.task, model.geometry, batch, device, bf16).prefers(rival.net, model.net)

    checkpoints = config.gradient_checkpointing
    question = f"channels-last: {model.net} {checkpoints} {tuple(batch.field.shape)} {bf16} {device.type}"
    layout = "channels-last" if remembered(question, ask) else "contiguous"
    chosen = {"memory_format": layout}
    return Planned(config.model_copy(update=chosen), info.model_copy(update=chosen), planned.budget)
