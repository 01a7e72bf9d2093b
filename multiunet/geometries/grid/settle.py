"""Networks whose condition is settled: given once, and then needed no more."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from multiunet.core import Condition, UNet
from multiunet.core.condition import Modulation, Settled


def settle_condition(net: nn.Module, condition: Condition) -> nn.Module:
    """Return a copy of a network that predicts, without a condition, what it predicts under this one.

    Each scale and shift that an embedding makes becomes a constant. So the network can be tiled, fused and exported as
    one that reads no condition. Networks of an ensemble are each told the same.

    Args:
        condition: of one sample.

    Raises:
        ValueError: for a condition of several samples, or a network that reads it in another way.
    """
    if len(condition) != 1:
        raise ValueError(f"the condition has {len(condition)} rows; one holds for all samples")
    net = copy.deepcopy(net)
    device = next(net.parameters()).device
    unets: list[UNet[Any]] = [module for module in net.modules() if isinstance(module, UNet)]
    with torch.no_grad():
        for unet in unets:
            read = unet.read(condition.to(device))
            embedding = None if read is None else read.embedding
            for module in list(unet.modules()):
                made = getattr(module, "modulation", None)
                if embedding is not None and isinstance(made, Modulation):
                    module.modulation = Settled(*made(embedding))
            unet.embed = None
    left = [type(module).__name__ for module in net.modules() if getattr(module, "reads_condition", ())]
    if left:
        raise ValueError(f"modules of {left[0]} still read a condition; only modulated norms can be settled")
    return net
