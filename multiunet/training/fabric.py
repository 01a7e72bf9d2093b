"""Fabric, which puts a training on its device."""

from __future__ import annotations

import logging

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from multiunet.training.compute import Compute

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision at every start


def make_fabric(device: torch.device, compute: Compute) -> Fabric:
    """Return the Fabric of one process on a device, in a precision."""
    return Fabric(
        accelerator=device.type,
        # by number where one is named: one of a kind would be the first
        devices=1 if device.index is None else [device.index],
        precision="bf16-mixed" if compute.precision == "bf16" else "32-true",
        # one process, whatever the batch system: in a SLURM job of several tasks Fabric would wait for as many
        plugins=[LightningEnvironment()],
    )
