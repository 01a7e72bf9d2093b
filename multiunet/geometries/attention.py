"""Attention as a part: a block of a grid, and of a graph what is behind the convolutions of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from multiunet.core import Condition, Geometry, SiteAttention, TokenAttention
from multiunet.geometries.choices import check_least
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import LayerNorm, Layers
from multiunet.geometries.grid.parts import Block

S = TypeVar("S")


@dataclass(frozen=True)
class Attention(Block):
    """Attention of each site to all sites of its level, added to what enters (Vaswani et al. 2017).

    For the coarsest levels: its cost grows with the square of the number of sites. A norm over the channels of each
    site comes first. Tiles of a network with it differ from the whole, and its receptive field says so.

    Args:
        heads: a divisor of the level's channels.
        dropout: probability that a channel of what is added is dropped, at all sites.

    >>> from multiunet import UNet
    >>> from multiunet.geometries import Conv, InTurn
    >>> deep = Grid(2, InTurn(Conv(residual=True), Attention(heads=4)))
    >>> net = UNet([Grid(2), Grid(2), deep], 1, 3, [8, 16, 32])
    """

    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_least("heads", self.heads, 1)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return self.attend(Grid(layers.ndim), in_channels, out_channels, LayerNorm(out_channels))

    def attend(self, geometry: Geometry[S], in_channels: int, out_channels: int, norm: nn.Module) -> SiteAttention[S]:
        """Make the module for the fields of a geometry, with a norm of theirs."""
        return SiteAttention(geometry, in_channels, out_channels, norm=norm, heads=self.heads, dropout=self.dropout)


@dataclass(frozen=True)
class CrossAttention(Block):
    """Attention of each site to the tokens of the condition, added to what enters.

    Rombach et al. 2022, "Latent diffusion", section 3.3. A network that is given no tokens is the one without it, and
    so is a new one. It looks at no other site: tiles of a network with it are those of the whole.

    Args:
        token_channels: channels of ``Condition.tokens``.
        heads: a divisor of the level's channels.
        dropout: probability that a channel of what is added is dropped, at all sites.

    >>> from multiunet import UNet
    >>> from multiunet.geometries import Conv, InTurn
    >>> told = Grid(2, InTurn(Conv(), CrossAttention(token_channels=6)))
    >>> net = UNet([Grid(2), told], 1, 3, [8, 16])
    >>> net(torch.zeros(2, 1, 9, 8), Condition(tokens=torch.zeros(2, 5, 6))).shape
    torch.Size([2, 3, 9, 8])
    """

    token_channels: int
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_least("token_channels", self.token_channels, 1)
        check_least("heads", self.heads, 1)

    def example_condition(self, seed: int) -> Condition:
        generator = torch.Generator().manual_seed(seed)
        # captions of several lengths, so that a batch of them needs a mask
        return Condition(tokens=torch.randn(1, 2 + seed % 3, self.token_channels, generator=generator))

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        nowhere = (0,) * layers.ndim
        return self.attend(Grid(layers.ndim), in_channels, out_channels, LayerNorm(out_channels), nowhere)

    def attend(
        self,
        geometry: Geometry[S],
        in_channels: int,
        out_channels: int,
        norm: nn.Module,
        reach: int | tuple[int, ...] = 0,
    ) -> TokenAttention[S]:
        """Make the module for the fields of a geometry, with a norm of theirs; see ``TokenAttention``."""
        return TokenAttention(
            *(geometry, in_channels, out_channels, self.token_channels),
            norm=norm,
            heads=self.heads,
            dropout=self.dropout,
            reach=reach,
        )
