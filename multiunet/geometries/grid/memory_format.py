"""Memory format of networks on grids: the order of the axes."""

from __future__ import annotations

import torch
from torch import nn

from multiunet.core.receptive_field import norms_are_local
from multiunet.geometries.channels_last import Conv1d, put_last

CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
"""By dimension."""


def likes_channels_last(net: nn.Module, ndim: int) -> bool:
    """Return True where channels-last was the faster in most cases.

    These are networks of images, unless a group norm copies their features there and back.
    """
    return ndim == 2 and norms_are_local(net)


def put_channels_last(net: nn.Module, ndim: int) -> None:
    """Lay out the network's weights with channels last; all that it computes follows.

    Lines are computed as planes of height one, see ``channels_last``.
    """
    if ndim == 1:
        for module in net.modules():
            if isinstance(module, Conv1d):
                module.weight.data = put_last(module.weight.data)
        return
    net.to(memory_format=CHANNELS_LAST[ndim])  # type: ignore[call-overload]
