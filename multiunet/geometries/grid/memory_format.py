"""The order of a grid's axes in memory."""

from __future__ import annotations

import torch
from torch import nn

from multiunet.core.receptive_field import norms_are_local

CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
"""By dimension."""


def likes_channels_last(net: nn.Module, ndim: int) -> bool:
    """Whether channels-last was the faster in most cases: of images, unless a group norm copies them there and back."""
    return ndim == 2 and norms_are_local(net)


def put_channels_last(net: nn.Module, ndim: int) -> None:
    """Lays out the network's weights so; all that it computes follows."""
    net.to(memory_format=CHANNELS_LAST[ndim])  # type: ignore[call-overload]
