"""Devices and precisions that the machine computes with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from multiunet.errors import InputError


def pick_device(name: str) -> torch.device:
    """Return the device of a name; ``auto``: CUDA, else Apple's MPS, else the CPU.

    Raises:
        InputError: for a device that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"`device={name}` cannot be used here ({str(error).splitlines()[0]}); try `device=cpu`"
        ) from error
    return device


def computes_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies in bf16, rather than emulating it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        supported = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
        return any(check is not None and check() for check in supported)
    return False


def computes_in_bf16(precision: str, device: torch.device) -> bool:
    """Return whether a forward pass of this ``precision`` (auto, 32, bf16) is in bf16 there."""
    return precision == "bf16" or (precision == "auto" and computes_bf16(device))


def unfolded_by_torch(x: Tensor) -> bool:
    """Return whether torch convolves this volume by unfolding all windows, several times as slow.

    Its rule, in ``ConvParams::use_mkldnn``: a single small one.
    """
    return x.ndim == 5 and x.shape[0] == 1 and math.prod(x.shape[1:4]) <= 20480
