"""How many sites a network may see at once within a memory."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from multiunet.core import Geometry
from multiunet.core.receptive_field import receptive_field
from multiunet.errors import InputError
from multiunet.memory import LiveTensors, amount, free_memory, process_memory
from multiunet.prediction.field import predict_field
from multiunet.tasks import Task

DEFAULT_MEMORY = 5_000_000_000
"""Bytes that prediction takes unless told otherwise, and unless less is free."""

FIXED_MEMORY = 250_000_000
"""Bytes that prediction takes however small its tiles: code that is loaded late, workspaces, buffers of files."""

FRAGMENTATION = 2.0
"""Memory that grows with the tile, over that of its tensors: gaps of the allocator. Measured 1.3 to 2 with the command
line's malloc settings, the more the more shapes the tiles have."""

FILE_COPIES = 6
"""Times that numbers read or predicted are in memory on their way from or to a file, beside the network's tensors."""

PROBE_SITES = 1 << 15
"""Sites of the field on which a network's need is seen, and by how much it grows with twice as many: its weights, cast
to bf16, do not."""


def sites_within(
    memory: int | None,
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    channels: int,
    samples: int,
    device: torch.device,
) -> int:
    """How many sites a tile with its halo may have.

    Args:
        memory: bytes of the whole process, or of the device where that has its own; None: ``DEFAULT_MEMORY``, or half
            of what is free where that is less, but 500 MB beyond the process.
        channels: of the input.

    Raises:
        InputError: when the process takes more already.
    """
    spare = spare_within(memory, device)
    return int(spare / (FRAGMENTATION * bytes_per_site(net, task, geometry, channels, samples, device)))


def spare_within(memory: int | None, device: torch.device) -> int:
    """Bytes that are left for tiles; for ``memory`` and errors see ``sites_within``."""
    taken = 0 if device.type == "cuda" else process_memory()
    if memory is None:
        memory = max(taken + 2 * FIXED_MEMORY, min(DEFAULT_MEMORY, taken + free_memory(device) // 2))
    spare = memory - taken - FIXED_MEMORY
    if spare <= 0:
        raise InputError(
            f"--memory {amount(memory)}: the program alone takes {amount(taken + FIXED_MEMORY)}; "
            f"give at least {amount(taken + 2 * FIXED_MEMORY)}"
        )
    return spare


def bytes_per_site(
    net: nn.Module, task: Task, geometry: Geometry[Any], channels: int, samples: int, device: torch.device
) -> float:
    """The most bytes needed at once in predicting a field, by site: how those of tensors grow is seen on small fields,
    and copies on the way from and to files are added."""
    stride = receptive_field(net).tile_stride
    side = PROBE_SITES ** (1 / len(stride))
    space = [max(1, round(side / step)) * step for step in stride]
    need = []
    for times in (1, 2):
        field = torch.zeros(1, channels, times * space[0], *space[1:], device=device)
        with LiveTensors() as alive:
            # two samples need what any number needs
            predict_field(net, task, geometry, field, min(samples, 2))
        need.append(alive.most)
    copies: int = FILE_COPIES * torch.float32.itemsize * (channels + len(task.names))
    grown: float = (need[1] - need[0]) / math.prod(space)
    return grown + copies
