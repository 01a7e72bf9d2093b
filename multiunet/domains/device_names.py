"""Names of devices in settings. Imports nothing heavy."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

SHARED = (
    "train on several devices, a process each, which share out the `accumulate` batches of a step (default: one each): "
    "their number, GPUs (0,1), or auto for all"
)
"""Help of the setting `devices`."""

SILENT = (
    "of several processes: minutes without a sign of life from one, which is stopped or hangs, until all others end"
)
"""Help of the setting `silent_minutes`."""


def check_device(name: str) -> str:
    """Check the name of a device, with a number where there are several, and return it.

    Raises:
        ValueError: for any other name.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError("unknown device; choose auto, cpu, cuda[:N] or mps")
    return name


def check_devices(devices: str) -> str:
    """Check what says how many devices there are, or which, and return it.

    Raises:
        ValueError: for anything else.
    """
    if not re.fullmatch(r"auto|[1-9]\d{0,3}|\d{1,3}(,\d{1,3})+", devices):
        raise ValueError("give a number of devices from 1 on, the numbers of several GPUs (0,1), or auto for all")
    return devices


def as_devices(value: Any) -> Any:
    """Return a number, or a list of such, as text; anything else stays as it is.

    Raises:
        ValueError: for a list of one GPU, which as text would be a number of devices.

    >>> as_devices(2), as_devices([0, 1])
    ('2', '0,1')
    """
    if isinstance(value, (list, tuple)):
        if len(value) == 1:
            raise ValueError(f"one GPU is named by `device=cuda:{value[0]}`; leave `devices` out")
        return ",".join(map(str, value))
    return str(value) if type(value) is int else value


Device = Annotated[str, AfterValidator(check_device)]
Devices = Annotated[str, BeforeValidator(as_devices), AfterValidator(check_devices)]
