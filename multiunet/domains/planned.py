"""Plan of a training: decisions with reasons, and the memory that they were made for."""

from __future__ import annotations

import functools
from typing import Any

import torch

from multiunet.domains.config import TrainConfig
from multiunet.domains.info import Record
from multiunet.memory import free_memory, process_memory
from multiunet.training.processes.place import find_wanted


class Decision(Record):
    """Setting that the plan decided, and why."""

    value: Any
    reason: str


class Memory(Record):
    """Memory of a training, bytes: the budget, the need, and in it the program and kept images."""

    budget: int
    needed: int
    program: int
    images: int


class TrainingPlan(Record):
    """Decisions of a plan, and the memory they were made for."""

    settings: dict[str, Decision]
    memory: Memory


def is_open(config: TrainConfig, name: str) -> bool:
    """Return True for a setting that the user left open; an explicit null does."""
    return name not in config.model_fields_set or getattr(config, name) is None


def measure_memory(config: TrainConfig, device: torch.device) -> tuple[int, int]:
    """Return the bytes that this process could have on the device, held ones included, and those it holds.

    As when first asked, so that all folds of a cross-validation are planned for the same memory. Processes that train
    together on the processor of one machine (``devices``) have equal shares.
    """
    free, held = _measure_once(device)
    sharing = len(find_wanted(config.device, config.devices, config.nodes).indices) if device.type == "cpu" else 1
    return free // sharing, held


@functools.cache
def _measure_once(device: torch.device) -> tuple[int, int]:
    # what is read waits in the computer's memory, the network is on the device
    held = process_memory() if device.type == "cpu" else 0
    return free_memory(device) + held, held
