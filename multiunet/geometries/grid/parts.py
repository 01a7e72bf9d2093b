"""Interfaces of the parts of a grid: its block, its way down and its way up.

A part is a description, a small frozen dataclass; the modules that it builds do the work. It is given ``Layers`` and
never the grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from multiunet.core import Condition
from multiunet.geometries.grid.layers import Layers


def example_embedding(channels: int, seed: int) -> Condition | None:
    """Make a condition of one sample with a random embedding; None for no channels."""
    if channels == 0:
        return None
    return Condition(torch.randn(1, channels, generator=torch.Generator().manual_seed(seed)))


class Part:
    """Description of one operator of a grid."""

    def check(self, layers: Layers) -> None:
        """Check that the part can be built of these layers; called when a grid is made.

        Raises:
            ValueError: naming the setting that does not fit.
        """
        return


class Block(Part, ABC):
    """Describes what mixes a site's features with those of nearby sites.

    The module states how far it looks, by one of three attributes, or tiles of it are refused:

    - ``reach``: how many sites away an output site looks, by axis;
    - ``period``: sites fall into windows that begin on multiples of it, by axis, and an output site looks into its own
      window; with ``reach`` also stated, as far as that (windows shifted by half a period reach into their neighbours);
    - ``is_global = True``: an output site looks everywhere.

    A module that reads a part of the condition says so by ``reads_condition``, e.g. ``("embedding",)``.
    """

    def example_condition(self, seed: int) -> Condition | None:
        """Make a condition of one sample that the block reads, for the conformance suite; None: it reads none."""
        return None

    @abstractmethod
    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        """Build a module ``(field, condition) -> field`` on the same sites."""


class Down(Part, ABC):
    """Describes how a level becomes the next coarser one.

    The module states ``stride`` and ``reach`` by axis: how far, in fine sites, a fine site's coarse parent looks.
    """

    @abstractmethod
    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        """Build a module ``field -> coarser field`` that makes ``ceil(n / stride)`` of n sites."""


class Up(Part, ABC):
    """Describes how a coarse field comes back onto the sites of the skip.

    The module states ``reach`` by axis: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    @abstractmethod
    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        """Build a module ``(coarse field, skip field) -> field`` on the sites of the skip."""
