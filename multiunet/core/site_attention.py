"""Attention of the sites of a level, on any geometry: to all sites, and to the tokens of a condition."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from multiunet.core.attention import MultiheadAttention
from multiunet.core.condition import Condition
from multiunet.core.dropout import Dropout
from multiunet.core.geometry import Geometry

S = TypeVar("S")


class SiteAttention(nn.Module, Generic[S]):
    """Attention of each site to all sites of its sample, ``(field, condition) -> field``.

    ``x + dropout(attend(norm(x)))`` (Vaswani et al. 2017; on grids Ho et al. 2020; on graphs, behind message passing,
    Rampášek et al. 2022). What it adds is zero at first, so a network begins as the one without it.

    Args:
        geometry: says which sites a sample has.
        in_channels, out_channels: where they differ, a map of the channels, site by site, comes first.
        norm: of ``out_channels``, ``field -> field``.
        heads: a divisor of ``out_channels``.
        dropout: probability that a channel of what is added is dropped, at all sites of a sample.

    Attributes:
        is_global: a site looks everywhere: tiles of a network with it are not those of the whole.
    """

    is_global = True

    def __init__(
        self,
        geometry: Geometry[S],
        in_channels: int,
        out_channels: int,
        *,
        norm: nn.Module,
        heads: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.project = make_projection(geometry, in_channels, out_channels)
        self.norm = norm
        self.attention = start_at_zero(MultiheadAttention(out_channels, heads))
        self.dropout = Dropout(dropout, whole_channels=True)

    def forward(self, x: S, condition: Condition | None = None) -> S:
        x = self.project(x)
        sequences, there = self.geometry.as_sequences(self.norm(x))
        found = self.attention(sequences, mask=there)
        return add_sequences(self.geometry, x, drop_channels(self.dropout, found))


class TokenAttention(nn.Module, Generic[S]):
    """Attention of each site to the tokens of its sample, ``(field, condition) -> field``.

    ``x + dropout(attend(norm(x), tokens))`` (Rombach et al. 2022, section 3.3). What it adds is zero at first, and for
    a sample that has no token: a network that is told nothing is the one without it.

    Args:
        token_channels: channels of ``Condition.tokens``.
        reach: what the geometry calls no way at all: a site looks at tokens, and at no other site.

    The other arguments are those of ``SiteAttention``.
    """

    reads_condition = ("tokens",)

    def __init__(
        self,
        geometry: Geometry[S],
        in_channels: int,
        out_channels: int,
        token_channels: int,
        *,
        norm: nn.Module,
        heads: int,
        dropout: float = 0.0,
        reach: Any = 0,
    ) -> None:
        super().__init__()
        self.geometry, self.reach = geometry, reach
        self.project = make_projection(geometry, in_channels, out_channels)
        self.norm = norm
        self.attention = start_at_zero(MultiheadAttention(out_channels, heads, token_channels))
        self.dropout = Dropout(dropout, whole_channels=True)

    def forward(self, x: S, condition: Condition | None = None) -> S:
        x = self.project(x)
        if condition is None or condition.tokens is None or condition.tokens.shape[1] == 0:
            return x
        sequences, _ = self.geometry.as_sequences(self.norm(x))
        found = attend_to_tokens(self.attention, sequences, condition.tokens, condition.token_mask)
        return add_sequences(self.geometry, x, drop_channels(self.dropout, found))


def attend_to_tokens(attention: MultiheadAttention, x: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Return what sequences ``(N, L, C)`` read in the tokens ``(N, T, K)`` of their sample.

    It is zero for a sample none of whose tokens are there.

    Raises:
        ValueError: when there are tokens of more or fewer samples, or of another number of channels.
    """
    if len(tokens) != len(x):
        raise ValueError(f"tokens of {len(tokens)} samples are given for a batch of {len(x)}; give each its own")
    if tokens.shape[2] != attention.context_channels:
        raise ValueError(f"tokens have {tokens.shape[2]} channels where the network takes {attention.context_channels}")
    tokens = tokens.to(x.dtype)
    if mask is None:
        return attention(x, tokens)  # type: ignore[no-any-return]
    told = mask.any(dim=1)
    found: Tensor = attention(x, tokens, mask | ~told[:, None])
    return found * told[:, None, None]


def make_projection(geometry: Geometry[S], in_channels: int, out_channels: int) -> nn.Module:
    """Make the map of the channels, site by site; the identity where they are as many."""
    return nn.Identity() if in_channels == out_channels else geometry.make_pointwise(in_channels, out_channels)


def start_at_zero(attention: MultiheadAttention) -> MultiheadAttention:
    """Set to zero the weights that make what an attention gives; return it."""
    nn.init.zeros_(attention.out.weight)
    nn.init.zeros_(attention.out.bias)
    return attention


def drop_channels(dropout: Dropout, sequences: Tensor) -> Tensor:
    """Drop whole channels of sequences ``(N, L, C)``."""
    return dropout(sequences.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


def add_sequences(geometry: Geometry[S], x: S, sequences: Tensor) -> S:
    """Return the field with the sequences ``(N, L, C)`` of its sites added."""
    added = geometry.features(geometry.from_sequences(x, sequences))
    return geometry.with_features(x, geometry.features(x) + added)
