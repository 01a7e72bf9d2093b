"""Transformer block that reads all sites and the tokens of a condition, as in latent diffusion."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, Dropout, MultiheadAttention
from multiunet.core.site_attention import attend_to_tokens, drop_channels
from multiunet.geometries.attention import CrossAttention
from multiunet.geometries.choices import check_least
from multiunet.geometries.grid.layers import Layers
from multiunet.geometries.grid.parts import Block


@dataclass(frozen=True)
class SpatialTransformer(Block):
    """Attention to all sites, then to tokens, then a network of two layers, added to what enters.

    Rombach et al. 2022, "Latent diffusion", appendix E.2.1. What the block adds is zero at first; a network that is
    given no tokens leaves out the attention to them. An output site looks everywhere.

    Args:
        token_channels: channels of ``Condition.tokens``.
        heads: of both attentions; a divisor of the level's channels.
        expansion: channels between the two layers, over those of the block.
        dropout: probability that a channel of what is added is dropped, at all sites.

    Raises:
        ValueError: for a number that is too small.
    """

    token_channels: int
    heads: int = 4
    expansion: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("token_channels", "heads", "expansion"):
            check_least(name, getattr(self, name), 1)

    def example_condition(self, seed: int) -> Condition | None:
        return CrossAttention(self.token_channels).example_condition(seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return SpatialTransformerBlock(self, layers, in_channels, out_channels)


class SpatialTransformerBlock(nn.Module):
    """Module of ``SpatialTransformer``."""

    is_global = True
    reads_condition = ("tokens",)

    def __init__(self, part: SpatialTransformer, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__()
        same = in_channels == out_channels
        self.project = nn.Identity() if same else layers.make_pointwise(in_channels, out_channels)
        self.norm = layers.make_norm(out_channels, eps=1e-6)  # that of the paper's code
        self.first, self.last = nn.Linear(out_channels, out_channels), nn.Linear(out_channels, out_channels)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.norms = nn.ModuleList(nn.LayerNorm(out_channels) for _ in range(3))
        self.to_sites = MultiheadAttention(out_channels, part.heads, bias=False)
        self.to_tokens = MultiheadAttention(out_channels, part.heads, part.token_channels, bias=False)
        self.feed = GatedFeed(out_channels, part.expansion)
        self.dropout = Dropout(part.dropout, whole_channels=True)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        x = self.project(x)
        sites = self.first(self.norm(x).flatten(2).transpose(1, 2))
        sites = sites + self.to_sites(self.norms[0](sites))
        if condition is not None and condition.tokens is not None and condition.tokens.shape[1] > 0:
            query = self.norms[1](sites)
            sites = sites + attend_to_tokens(self.to_tokens, query, condition.tokens, condition.token_mask)
        sites = sites + self.feed(self.norms[2](sites))
        return x + drop_channels(self.dropout, self.last(sites)).transpose(1, 2).reshape(x.shape)


class GatedFeed(nn.Module):
    """Network of two layers at each site whose inner channels are gated (Shazeer 2020, "GEGLU", eq. 6)."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, 2 * expansion * channels)
        self.last = nn.Linear(expansion * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.first(x).chunk(2, dim=-1)
        return self.last(value * functional.gelu(gate))  # type: ignore[no-any-return]
