"""Mean over mirrored views of a prediction (test-time augmentation), as a network of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Encoder, Trail
from multiunet.core.receptive_field import ReceptiveField, receptive_field


class FlipAveraged(nn.Module):
    """Mean output of a U-Net on a grid over all combinations of mirrored axes: 2, 4 or 8 views.

    Its output, too, is mirrored when its input is, at any size. Each view is filled up to a multiple of the network's
    stride (by its last site), so that a mirrored tile sees the coarse sites that the mirrored whole sees. A Monte-Carlo
    mask is the same in all views.
    """

    def __init__(self, net: Encoder[Tensor], ndim: int) -> None:
        super().__init__()
        self.net = net
        axes = range(2, 2 + ndim)
        self.views = [axes_ for n in range(ndim + 1) for axes_ in itertools.combinations(axes, n)]
        self.seen = receptive_field(net)

    def forward(self, x: Tensor) -> Tensor:
        # one view after the other: the trails of all would fill the memory
        return self._mean(tuple(x.shape[2:]), (self.net(self._view(x, axes)) for axes in self.views))

    def encode(self, x: Tensor) -> tuple[tuple[int, ...], list[Trail[Tensor]]]:
        """Return the size of the output, and the trail of each view."""
        return tuple(x.shape[2:]), [self.net.encode(self._view(x, axes)) for axes in self.views]

    def decode(self, encoded: tuple[tuple[int, ...], list[Trail[Tensor]]]) -> Tensor:
        """Return the mean of the views' outputs, each turned back."""
        space, trails = encoded
        return self._mean(space, (self.net.decode(trail) for trail in trails))

    def _view(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Mirror the axes, then fill up behind the view's own end: coarse sites are counted from its own beginning."""
        extra = [-n % step for n, step in zip(x.shape[2:], self.seen.tile_stride)]
        padding = [side for n in reversed(extra) for side in (0, n)]
        return functional.pad(x.flip(axes), padding, mode="replicate") if any(extra) else x.flip(axes)

    def _mean(self, space: tuple[int, ...], outputs: Iterable[Tensor]) -> Tensor:
        inside = (slice(None), slice(None), *(slice(0, n) for n in space))
        total: Tensor | float = 0.0
        for axes, output in zip(self.views, outputs):
            total = output[inside].flip(axes) + total
        mean: Tensor = total / len(self.views)  # type: ignore[assignment]  # there are views
        return mean

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's receptive field, with tiles aligned at both ends, as mirrored views need."""
        return replace(self.seen, both_ends=True)
