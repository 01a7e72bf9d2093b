"""Mirrored views of an input (test-time augmentation), and the mean over all, as networks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Encoder, Trail
from multiunet.core.exporting import count_windows, is_equal
from multiunet.core.receptive_field import ReceptiveField, receptive_field

Seen = tuple[tuple[int, ...], Trail[Tensor]]
"""Size of an input, and the trail of its mirrored view."""


class Mirrored(nn.Module):
    """U-Net on a grid that sees its input mirrored along some axes; its output is turned back.

    The view is filled up to a multiple of the network's stride (by its last site), so that a mirrored tile sees the
    coarse sites that the mirrored whole sees.

    Args:
        axes: of the batch ``(N, C, *space)``, from 2; none: the input as it is.
    """

    def __init__(self, net: Encoder[Tensor], axes: tuple[int, ...]) -> None:
        super().__init__()
        self.net, self.axes = net, axes
        self.seen = receptive_field(net)

    def forward(self, x: Tensor) -> Tensor:
        return self._turn_back(self.net(self._view(x)), tuple(x.shape[2:]))

    def encode(self, x: Tensor) -> Seen:
        """Return the size of the output, and the network's trail of the view."""
        return tuple(x.shape[2:]), self.net.encode(self._view(x))

    def share(self, encoded: Seen) -> Seen:
        """Return what many decodings share; see ``Encoder``."""
        space, trail = encoded
        return space, self.net.share(trail)

    def decode(self, encoded: Seen) -> Tensor:
        """Return the network's output, turned back."""
        space, trail = encoded
        return self._turn_back(self.net.decode(trail), space)

    def _view(self, x: Tensor) -> Tensor:
        """Mirror the axes, then fill up behind the view's own end: coarse sites are counted from its own beginning."""
        extra = [count_windows(n, step) * step - n for n, step in zip(x.shape[2:], self.seen.tile_stride)]
        padding = [side for n in reversed(extra) for side in (0, n)]
        view = x.flip(self.axes)
        whole = all(is_equal(n, 0) for n in extra)  # not `any(extra)`, which a file would keep as it is for the example
        return view if whole else functional.pad(view, padding, mode="replicate")

    def _turn_back(self, output: Tensor, space: tuple[int, ...]) -> Tensor:
        return output[(slice(None), slice(None), *(slice(0, n) for n in space))].flip(self.axes)

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's receptive field, with tiles aligned at both ends, as mirrored views need."""
        return replace(self.seen, both_ends=True)


def make_views(net: Encoder[Tensor], ndim: int) -> list[Mirrored]:
    """Return a network's 2, 4 or 8 views, one for each combination of mirrored axes, none mirrored first.

    Each is tiled as the others are, so that all may be members of an ``Ensemble``: what they disagree about is then
    epistemic. A Monte-Carlo mask is the same in all views, because the network is.
    """
    axes = range(2, 2 + ndim)
    return [Mirrored(net, chosen) for count in range(ndim + 1) for chosen in itertools.combinations(axes, count)]


class FlipAveraged(nn.Module):
    """Mean output of a U-Net on a grid over all combinations of mirrored axes: 2, 4 or 8 views.

    Its output, too, is mirrored when its input is, at any size. A Monte-Carlo mask is the same in all views.
    """

    def __init__(self, net: Encoder[Tensor], ndim: int) -> None:
        super().__init__()
        self.views = make_views(net, ndim)
        self.net = net  # the views, which share it, are no modules of their own here

    def forward(self, x: Tensor) -> Tensor:
        # one view after the other: the trails of all would fill the memory
        return self._mean(view(x) for view in self.views)

    def encode(self, x: Tensor) -> list[Seen]:
        """Return the size of the output, and the trail, of each view."""
        return [view.encode(x) for view in self.views]

    def share(self, encoded: list[Seen]) -> list[Seen]:
        """Return what many decodings share, of each view; see ``Encoder``."""
        return [view.share(one) for view, one in zip(self.views, encoded)]

    def decode(self, encoded: list[Seen]) -> Tensor:
        """Return the mean of the views' outputs, each turned back."""
        return self._mean(view.decode(one) for view, one in zip(self.views, encoded))

    def _mean(self, outputs: Iterable[Tensor]) -> Tensor:
        total: Tensor | float = 0.0
        for output in outputs:
            total = output + total
        mean: Tensor = total / len(self.views)  # type: ignore[assignment]  # there are views
        return mean

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's receptive field, with tiles aligned at both ends, as mirrored views need."""
        return self.views[0].receptive_field()
