"""Size of the tiles that a network can predict within a given memory."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from multiunet.core import Condition, Geometry
from multiunet.core.receptive_field import receptive_field
from multiunet.errors import InputError
from multiunet.memory import LiveTensors, amount, free_memory, process_memory
from multiunet.prediction.field import predict_field
from multiunet.prediction.tiles import bound_sites
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


def compute_max_sites(
    memory: int | None,
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    channels: int,
    samples: int,
    device: torch.device,
    condition: Condition | None = None,
    beside: int = 0,
) -> int:
    """Return the number of sites that a tile with its halo may have.

    Args:
        memory: bytes of the whole process, or of the device where that has its own; None: ``DEFAULT_MEMORY``, or half
            of what is free where that is less, but at least twice ``FIXED_MEMORY`` beyond what the process has.
        channels: of the input.
        condition: conditioning inputs of one input, as large as those of the prediction.
        beside: bytes that else will be taken of ``memory``, where it is given: whole images, say.

    Raises:
        InputError: when the process takes more already.
    """
    spare = compute_spare_memory(memory, device, beside)
    need = FRAGMENTATION * measure_bytes_per_site(net, task, geometry, channels, samples, device, condition)
    return int(spare / need)


def compute_spare_memory(memory: int | None, device: torch.device, beside: int = 0) -> int:
    """Return the bytes that are left for tiles; for arguments and ``Raises`` see ``compute_max_sites``."""
    taken = 0 if device.type == "cuda" else process_memory()
    if memory is None:
        beside = 0
        memory = max(taken + 2 * FIXED_MEMORY, min(DEFAULT_MEMORY, taken + free_memory(device) // 2))
    spare = memory - taken - FIXED_MEMORY - beside
    if spare <= 0:
        images = f", and images beside it {amount(beside)}" if beside else ""
        raise InputError(
            f"`memory={amount(memory)}`: the program alone takes {amount(taken + FIXED_MEMORY)}{images}; "
            f"give at least {amount(taken + 2 * FIXED_MEMORY + beside)}"
        )
    return spare


def measure_bytes_per_site(
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    channels: int,
    samples: int,
    device: torch.device,
    condition: Condition | None = None,
) -> float:
    """Return the bytes that each further site of a field takes at the worst moment of its prediction.

    Tensors are counted in predictions of a small field and of one twice as large, so that constant needs drop out;
    copies on the way from and to files are added.
    """
    seen = receptive_field(net)
    stride = seen.tile_stride
    # of two probes the larger is no larger than a tile may be
    side = bound_sites(PROBE_SITES, seen) ** (1 / len(stride))
    space = [max(1, round(side / step)) * step for step in stride]
    condition = None if condition is None else condition.to(device)
    need = []
    for times in (1, 2):
        field = torch.zeros(1, channels, times * space[0], *space[1:], device=device)
        with LiveTensors() as alive:
            # two samples need what any number needs
            predict_field(net, task, geometry, field, min(samples, 2), condition=condition)
        need.append(alive.most)
    copies: int = FILE_COPIES * torch.float32.itemsize * (channels + len(task.names))
    grown: float = (need[1] - need[0]) / math.prod(space)
    return grown + copies
