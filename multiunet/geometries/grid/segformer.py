"""SegFormer's block: every site reads the coarsened sites of its level."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, MultiheadAttention
from multiunet.geometries.grid.layers import CONV, Layers, Sizes
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.transformer import TransformerBlock, check_sizes, make_example


@dataclass(frozen=True)
class SegFormer(Block):
    """Transformer block whose keys and values are of coarsened sites.

    Xie et al. 2021, "SegFormer", section 3.1, eq. 2 and 3. The work of the attention is that of ``Transformer`` over
    ``prod(reduction)``. A depthwise convolution between the two layers of the network behind it ("Mix-FFN") lets sites
    know where they are. An output site looks everywhere.

    Args:
        heads: of the attention; they share the channels out.
        reduction: how much coarser the sites that are read lie; one number, or one an axis.
        expansion, dropout, condition_channels: those of ``Transformer``.

    Raises:
        ValueError: for a number that is too small, or channels that the heads cannot share out.
    """

    heads: int = 4
    reduction: Sizes = 2
    expansion: int = 4
    dropout: float = 0.0
    condition_channels: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.heads, self.expansion, self.condition_channels)

    def check(self, layers: Layers) -> None:
        layers.sizes("reduction", self.reduction)

    def example_condition(self, seed: int) -> Condition | None:
        return make_example(self.condition_channels, seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        mix = ReducedAttention(layers.sizes("reduction", self.reduction), out_channels, self.heads)
        feed = MixFeed(layers, out_channels, self.expansion)
        block = TransformerBlock(layers, in_channels, out_channels, mix, feed, self.dropout, self.condition_channels)
        block.is_global = True
        return block


class ReducedAttention(nn.Module):
    """Attention of fields ``(N, *space, C)`` to their own coarsened sites."""

    def __init__(self, reduction: tuple[int, ...], channels: int, heads: int) -> None:
        super().__init__()
        self.reduction = reduction
        reduces, make = max(reduction) > 1, CONV[len(reduction)]
        self.reduce = make(channels, channels, reduction, stride=reduction) if reduces else None  # type: ignore[arg-type]
        self.norm = nn.LayerNorm(channels) if reduces else None
        self.attention = MultiheadAttention(channels, heads, context_channels=channels)

    def forward(self, x: Tensor) -> Tensor:
        rows = coarse = x.flatten(1, -2)
        if self.reduce is not None and self.norm is not None:
            # a last, partial window counts
            fill = [-size % step for size, step in zip(x.shape[1:-1], self.reduction)]
            padded = functional.pad(x, [0, 0, *(end for rest in reversed(fill) for end in (0, rest))])
            coarse = self.norm(self.reduce(padded.movedim(-1, 1)).flatten(2).transpose(1, 2))
        return self.attention(rows, coarse).reshape(x.shape)  # type: ignore[no-any-return]


class MixFeed(nn.Module):
    """Network of two layers at each site, with a depthwise convolution between them."""

    def __init__(self, layers: Layers, channels: int, expansion: int) -> None:
        super().__init__()
        inner = expansion * channels
        self.first, self.last = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.mix = layers.make_conv(inner, inner, (3,) * layers.ndim, True, padding=1, groups=inner)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(self.first(x).movedim(-1, 1)).movedim(1, -1)
        return self.last(self.activation(mixed))  # type: ignore[no-any-return]
