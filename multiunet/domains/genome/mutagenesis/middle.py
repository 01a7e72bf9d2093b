"""Decoding of windows whose finest level is computed where its outputs count, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from torch import Tensor

from multiunet.core import Add, Concat, Trail, UNet
from multiunet.core.receptive_field import norms_are_local, read_locality
from multiunet.core.stage import UpStage


class Middle:
    """Stretch of a window's bins, and the decoding of a U-Net that gives these alone.

    Most of a decoding is its finest level, so what lies beyond the stretch and what that level sees is left out of it.

    Args:
        unet: of one axis.
        low, high: first bin, and the one behind the last.
        bins: of the window, filled up to whole coarse sites.
    """

    def __init__(self, unet: UNet[Tensor], low: int, high: int, bins: int) -> None:
        self.unet, step = unet, int(cast(Any, unet.downs[0]).stride[0])
        self.first, self.last = 0, bins // step
        reach = None if bins % step else find_reach(unet, step)
        if reach is not None:
            self.first = max(0, (low - reach) // step)
            self.last = min(bins // step, -(-(high + reach) // step))
        self.bins, self.fine = bins, slice(self.first * step, self.last * step if reach is not None else bins)

    @property
    def is_all(self) -> bool:
        """True where nothing is left out."""
        return self.fine == slice(0, self.bins)

    def cut(self, trail: Trail[Tensor]) -> Trail[Tensor]:
        """Return the trail whose finest saved field is cut, before it is shared by samples."""
        if self.is_all:
            return trail
        finest, *others = trail.saved
        return replace(trail, saved=(finest[..., self.fine].contiguous(), *others))

    def decode(self, trail: Trail[Any]) -> Tensor:
        """Return the output of a trail that was cut, ``(N, channels, bins)``, 0 outside of the stretch."""
        if self.is_all:
            return self.unet.decode(trail)
        x = self.unet.bottleneck(trail.bottom, None)
        *coarse, finest = self.unet.up_stages
        for stage, skip in zip(coarse, reversed(trail.saved[1:])):
            x = stage(x, skip, None)
        found: Tensor = self.unet.head(finest(x[..., self.first : self.last], trail.saved[0], None))
        whole: Tensor = found.new_zeros(*found.shape[:2], self.bins)
        whole[..., self.fine] = found
        return whole


def find_reach(unet: UNet[Any], step: int) -> int | None:
    """Return how many bins the finest level of the way up looks to either side; None: everywhere."""
    stage: UpStage[Any] = unet.up_stages[-1]
    plain = (type(unet).decode, type(unet).ascend) == (UNet.decode, UNet.ascend) and not hasattr(unet.head, "reach")
    if not plain or not isinstance(stage.merge.join, Concat | Add) or not norms_are_local(stage.level):
        return None
    blocks = [read_locality(block, 1) for block in cast(Any, stage.level).blocks]
    if any(block.is_global or block.period != (1,) for block in blocks):
        return None
    # the way up looks beyond the coarse site that a bin lies in
    return sum(block.reach[0] for block in blocks) + int(cast(Any, stage.up).reach[0]) + step - 1
