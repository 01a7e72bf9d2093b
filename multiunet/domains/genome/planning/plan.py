"""Plan of a training on a genome: decisions from its size and the memory, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from multiunet.device import computes_in_bf16, pick_device
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.planning.length import Decided, decide_length
from multiunet.domains.genome.planning.size import decide_size
from multiunet.domains.model import Model, Planned
from multiunet.domains.planned import Decision, Memory, TrainingPlan, is_open, measure_memory
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.memory import amount
from multiunet.training.data import Sample
from multiunet.training.step_memory import LIBRARY_MEMORY, OPTIMIZER_SLOTS, step_memory

WAYS = ((1, False), (1, True), (2, False), (2, True), (4, False), (4, True))
"""By how much the batch is divided, and whether activations are computed again, in the order of what it costs."""

FIELDS = 12
"""Fields at the bases, and twice as many at the bins, that a step holds at most: 7 to 9 were measured."""

CLEARLY = 4
"""Where a rough bound fits into a part of the memory as small as this, it is not looked at closely."""

Build = Callable[[GenomeTrain, GenomeInfo], Model]


def decide(
    config: GenomeTrain, info: GenomeInfo, before: GenomeInfo | None, build: Build
) -> Planned[GenomeTrain, GenomeInfo]:
    """Decide everything that the settings leave open; change nothing.

    Args:
        before: info of the run that goes on, whose decisions stay; None: a new one.

    Raises:
        InputError: for a budget that the smallest plan exceeds.
    """
    if before is not None and before.plan is not None:
        values = {name: choice.value for name, choice in before.plan.settings.items() if is_open(config, name)}
        chosen = config.model_copy(update=values)
        return Planned(chosen, info.model_copy(update={"plan": before.plan, "window": before.window}))
    device = pick_device(config.device)
    free, held = measure_memory(config, device)
    budget = config.memory or free
    own = config.task == "signal" and config.network == "unet"  # published networks have sizes of their own
    found: Decided = decide_size(config, info.bases("train"), info.longest) if own else {}
    sized = _with(config, found)
    nothing: Decided = {}
    room = budget - held
    fitting, needed, by_memory = (True, 0, nothing) if info.generates else _fit_memory(sized, info, room, build, device)
    found |= by_memory
    chosen = _with(sized, by_memory)
    if config.task == "signal":
        found |= decide_length(chosen, info.bases("train"), info.bases("val"))
    if not fitting:
        message = (
            f"{amount(budget)} of memory is too little: the smallest planned training step needs about "
            f"{amount(needed + held)} (windows of {chosen.bins_of_window() * chosen.bin_size:,} bases, batch "
            f"{chosen.batch_size}, {amount(held)} for the program itself and the signals); "
        )
        if config.memory is not None:
            raise InputError(f"`memory`: {message}give it as much, or choose a smaller `window` or fewer `widths`")
        remark("%strying anyway", message)
    settings = {name: Decision(value=value, reason=reason) for name, (value, reason) in found.items()}
    memory = Memory(budget=budget, needed=needed + held, program=held, images=0)
    chosen = _with(config, found)
    plan = TrainingPlan(settings=settings, memory=memory)
    return Planned(chosen, info.model_copy(update={"plan": plan, "window": chosen.bins_of_window()}))


def _with(config: GenomeTrain, found: Mapping[str, tuple[Any, str]]) -> GenomeTrain:
    return config.model_copy(update={name: value for name, (value, _) in found.items()})


def _fit_memory(
    config: GenomeTrain, info: GenomeInfo, room: int, build: Build, device: torch.device
) -> tuple[bool, int, Decided]:
    """Choose batch and recomputation; return whether they fit, the bytes of a step, and decisions with reasons."""
    open_batch, open_again = is_open(config, "batch_size"), is_open(config, "gradient_checkpointing")
    full, seen = config.batch_size, set()
    for part, again in WAYS:
        batch = max(1, full // part) if open_batch else full
        recompute = again if open_again else config.gradient_checkpointing
        if (batch, recompute) in seen:
            continue
        seen.add((batch, recompute))
        offer = config.model_copy(update={"batch_size": batch, "gradient_checkpointing": recompute})
        needed = _bound(offer)
        if needed > room / CLEARLY:
            needed = measure_step(offer, info, build, device) * 10 // 9  # a tenth for what is not counted
        if needed <= room:
            break
    tight = f"{amount(room)} of memory allow no more"
    found: Decided = {}
    if open_batch:
        found["batch_size"] = (batch, tight if batch < full else "memory is enough")
    if batch < full and is_open(config, "accumulate"):
        found["accumulate"] = (full // batch, "as many windows a step as with enough memory")
    if open_again:
        why = f"{tight}; a third more time, the same result" if recompute else "memory is enough without"
        found["gradient_checkpointing"] = (recompute, why)
    return needed <= room, needed, found


def _bound(config: GenomeTrain) -> int:
    """Return bytes that a step without attention surely stays below."""
    bins = config.batch_size * config.bins_of_window()
    fields = config.stem_channels * config.bin_size + 2 * config.widths[0]
    attends = 4 if config.attention != "none" else 1
    return LIBRARY_MEMORY + attends * 4 * FIELDS * bins * fields


def measure_step(config: GenomeTrain, info: GenomeInfo, build: Build, device: torch.device) -> int:
    """Return the bytes of a training step and all that stays beside it."""
    model = build(config, info)
    return step_memory(
        model.net,
        model.task,
        model.geometry,
        make_batch(config, info, torch.device("meta")),
        bf16=computes_in_bf16(config.precision, device),
        copies=OPTIMIZER_SLOTS[config.optimizer] + (config.ema > 0) + len(config.power_averages),
        cpu=device.type == "cpu",
    )


def make_batch(config: GenomeTrain, info: GenomeInfo, device: torch.device) -> Sample[Tensor]:
    """Return a batch of the shapes and types of training, of zeros."""
    bins = config.bins_of_window()
    codes = torch.zeros(config.batch_size, 1, bins * config.bin_size, dtype=torch.uint8, device=device)
    return Sample(codes, torch.zeros(config.batch_size, len(info.target.names), bins, device=device))
