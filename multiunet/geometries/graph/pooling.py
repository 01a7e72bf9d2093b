"""The interface of pooling: an operator to a coarser graph and one back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn


class Pooling(ABC):
    """A pair of operators: to a coarser graph, and from it onto the nodes of the finer one.

    The operators shipped here compare all nodes of a graph, so they state ``is_global = True``: a node of a coarser
    graph depends on the whole graph, however far its convolutions look.
    """

    @abstractmethod
    def build_down(self, channels: int, stride: float) -> nn.Module:
        """Make ``field -> field`` with about ``stride`` times fewer nodes.

        Raises:
            ValueError: for a stride that it cannot have.
        """

    @abstractmethod
    def build_up(self, in_channels: int, out_channels: int) -> nn.Module:
        """Make ``(coarse, skip) -> field`` on the skip's nodes."""


def make_projection(in_channels: int, out_channels: int) -> nn.Module:
    """Make a linear map without bias, or the identity where channels are equal.

    Mapping the fewer coarse nodes before they are spread equals mapping the fine ones after it.
    """
    return nn.Identity() if in_channels == out_channels else nn.Linear(in_channels, out_channels, bias=False)
