"""Dropout with masks that a key determines, so that a Monte-Carlo sample is one network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) with three states.

    - training: a fresh mask each call from torch's global generator;
    - evaluation: the identity;
    - sampling (``key`` is set): one mask determined by the key and the shape alone. That of whole channels is shared by
      all samples of the batch.

    Args:
        p: the probability that a feature is dropped, in [0, 1).
        whole_channels: drop a channel at all sites together (Tompson et al. 2015). Its mask has no sites, so tiles of
            one input that are predicted apart still see the same thinned network. Otherwise each site has its own.
        inplace: a sample without gradients may overwrite its input, which saves the memory of one field.
    """

    def __init__(self, p: float, whole_channels: bool, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout probability {p} is outside [0, 1)")
        self.p = p
        self.whole_channels = whole_channels
        self.inplace = inplace
        self.key: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0.0 or not (self.training or self.key is not None):
            return x
        per_channel = (1,) * (x.ndim - 2)
        if self.key is None:
            ones = x.new_ones(x.shape[:2] + per_channel if self.whole_channels else x.shape)
            return x * functional.dropout(ones, self.p)
        shape = (1, x.shape[1], *per_channel) if self.whole_channels else tuple(x.shape)
        # drawn on the CPU: the same key gives the same mask on every device
        generator = torch.Generator("cpu").manual_seed(self.key)
        draw = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
        keep = ((draw >= self.p).to(x) / (1.0 - self.p)).to(x.device)
        return x.mul_(keep) if self.inplace and not torch.is_grad_enabled() else x * keep

    def extra_repr(self) -> str:
        return f"p={self.p}, whole_channels={self.whole_channels}"
