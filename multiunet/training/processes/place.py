"""Place of this process among those that train together: how many are asked for, and who starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from multiunet.device import pick_device
from multiunet.errors import InputError
from multiunet.training.recipe import SILENT_MINUTES

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Wanted:
    """Devices that a training asks for.

    Attributes:
        kind: of the devices: ``cpu``, ``cuda`` or ``mps``.
        indices: those of each machine.
        nodes: number of machines.
        silent_minutes: without a sign of life from a process, after which all others end.
    """

    kind: str
    indices: tuple[int, ...]
    nodes: int
    silent_minutes: float = SILENT_MINUTES

    @property
    def processes(self) -> int:
        """Return the number of processes, one for each device."""
        return len(self.indices) * self.nodes

    def device(self, local: int) -> str:
        """Return the name of the device of a process, by its number on its machine."""
        return self.kind if self.kind != "cuda" else f"cuda:{self.indices[local]}"


def find_wanted(device: str, devices: str | None, nodes: int, silent_minutes: float = SILENT_MINUTES) -> Wanted:
    """Return the devices that settings ask for.

    Args:
        device: the kind, as in ``pick_device``.
        devices: their number, or those of GPUs, ``0,1``; ``auto``: all GPUs, else one process. None: one.

    Raises:
        InputError: for devices that this machine does not have.
    """
    kind = pick_device(device)
    there = torch.cuda.device_count() if kind.type == "cuda" else None
    if devices is None:
        indices: tuple[int, ...] = (kind.index or 0,)
    elif devices == "auto":
        indices = tuple(range(there or 1))
    elif "," in devices:
        indices = tuple(map(int, devices.split(",")))
    else:
        indices = tuple(range(int(devices)))
    wanted = f"`devices={devices}`"
    if kind.index is not None and devices is not None:
        raise InputError(f"{wanted} and `device={device}` both say which GPUs; give `device=cuda` with it")
    if kind.type == "mps" and len(indices) * nodes > 1:
        raise InputError(f"{wanted}: Apple's GPU is one device; leave it out")
    if there is not None and (missing := [index for index in indices if index >= there]):
        raise InputError(f"{wanted}: this machine has {there} GPUs, numbered from 0, and no GPU {missing[0]}")
    if len(set(indices)) < len(indices):
        raise InputError(f"{wanted}: names a device twice")
    return Wanted(kind.type, indices, nodes, silent_minutes)


@dataclass(frozen=True)
class Place:
    """Place of this process.

    Attributes:
        rank, size: its number, from 0, and how many there are.
        local: its number on its machine.
        address, port: of the first process, where torch's store is.
    """

    rank: int
    size: int
    local: int
    address: str
    port: int

    def environment(self) -> dict[str, str]:
        """Return the place as ``torchrun`` tells it, in environment variables."""
        numbers = {"RANK": self.rank, "WORLD_SIZE": self.size, "LOCAL_RANK": self.local, "MASTER_PORT": self.port}
        return {"MASTER_ADDR": self.address, **{name: str(value) for name, value in numbers.items()}}


def find_place(wanted: Wanted, environment: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place that ``torchrun``, ``srun`` or a process of this training gave this one.

    None: nobody did, and this process starts the others. Asked only where a training wants several processes: whatever
    the environment says, one that wants a single process is alone.

    Raises:
        InputError: when the environment has another number of processes, or there are several machines and none.
    """
    found, starter = _from_torchrun(environment), "torchrun"
    if found is None:
        found, starter = _from_slurm(environment), "srun"
    if found is None:
        if wanted.nodes > 1:
            raise InputError(
                f"`nodes={wanted.nodes}`: on several machines, srun or torchrun start the processes, one for each "
                "device; see docs/scaling.md"
            )
        return None
    if found.size != wanted.processes or found.local >= len(wanted.indices):
        raise InputError(
            f"{starter} has started {found.size} processes, and `devices` and `nodes` ask for {len(wanted.indices)} on "
            f"each of {wanted.nodes} machines; start one process for each device"
        )
    return found


def _from_torchrun(environment: Mapping[str, str]) -> Place | None:
    if not all(name in environment for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")):
        return None
    rank, size, local, port = (int(environment[n]) for n in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"))
    return Place(rank, size, local, environment["MASTER_ADDR"], port) if size > 1 else None


def _from_slurm(environment: Mapping[str, str]) -> Place | None:
    """Return the place within a step of ``srun``; a job's own script is no task of a step, whatever it has booked."""
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

    size = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    if size < 2:
        return None
    names = environment.get("SLURM_STEP_NODELIST", LOCAL)
    address = environment.get("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(names))
    # every process derives the same port; two jobs on one machine have others
    port = 15000 + int(environment.get("SLURM_JOB_ID", "0")) % 10000
    port = int(environment.get("MASTER_PORT", port))
    return Place(int(environment["SLURM_PROCID"]), size, int(environment["SLURM_LOCALID"]), address, port)
