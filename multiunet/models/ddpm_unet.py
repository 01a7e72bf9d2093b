"""U-Net of diffusion models, which reads the level of noise, a class and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from multiunet.core import ConditionEmbedding, LevelSpec, Sinusoid, UNet
from multiunet.core.level import per_level
from multiunet.geometries.attention import Attention
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import InTurn
from multiunet.geometries.grid.layers import Layers, Normalization, Sizes
from multiunet.geometries.grid.parts import Block, Down, Up
from multiunet.geometries.grid.plain import Keep, PlainConv
from multiunet.geometries.grid.preactivation import Effect, PreActivation
from multiunet.geometries.grid.spatial_transformer import SpatialTransformer
from multiunet.geometries.grid.up import Resize


def ddpm_unet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = (128, 256, 256, 256),
    *,
    blocks: int = 2,
    attention: Sequence[int] = (1,),
    heads: int | Sequence[int] = 1,
    token_channels: int = 0,
    embed: ConditionEmbedding | None = None,
    effect: Effect = "shift",
    normalization: Normalization = "group",
    groups: int | None = None,
    strides: Sequence[Sizes] | None = None,
    down: Down = StridedConv(),  # noqa: B008 -- frozen, as all parts are
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build the U-Net of Ho et al. 2020 ("Denoising Diffusion Probabilistic Models", appendix B).

    Blocks with norms and activations before their convolutions, shifted by an embedding of the noise; attention at some
    resolutions and at the bottom. The decoder is given the field behind every block of the encoder: here these are
    levels of stride 1. The defaults are the paper's for CIFAR10. Any size and 1 to 3 axes. See ``from_diffusers``.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by resolution, finest first.
        blocks: blocks of the encoder at each resolution; the decoder has one more.
        attention: resolutions whose blocks are followed by attention, counted from 0, the finest.
        heads: of the attention, one number or one a resolution.
        token_channels: channels of ``Condition.tokens``, which the attention then reads, too (Rombach et al. 2022); 0:
            the network reads no tokens.
        embed: makes the embedding that blocks read; None: of levels of noise alone, as in the paper.
        effect: of the embedding: see ``PreActivation``.
        normalization, groups: ``group`` is the paper's, with 8 channels a group by default.
        strides: by way down to the next resolution, one number an axis; 2 by default.
        down: the way to the next resolution.
        dropout: of all blocks; 0.1 in the paper for CIFAR10.

    Raises:
        ValueError: when a resolution that attends is not there, or lists do not fit the number of resolutions.

    >>> import torch
    >>> from multiunet import Condition
    >>> net = ddpm_unet(2, 1, 1, channels=[8, 16])
    >>> net(torch.zeros(2, 1, 27, 30), Condition(noise=torch.tensor([10.0, 500.0]))).shape
    torch.Size([2, 1, 27, 30])
    """
    last = len(channels) - 1
    if any(not 0 <= level <= last for level in attention):
        raise ValueError(f"attention {tuple(attention)}: resolutions are counted from 0 to {last}")
    steps = per_level("strides", [2] * last if strides is None else strides, last)
    counts = per_level("heads", [heads] * (last + 1) if isinstance(heads, int) else heads, last + 1)
    embed = ConditionEmbedding(4 * channels[0], noise=Sinusoid(channels[0])) if embed is None else embed
    convs = PreActivation(dropout=dropout, condition_channels=embed.channels, effect=effect)
    attend = [SpatialTransformer(token_channels, n) if token_channels else NormedAttention(n) for n in counts]
    each = [InTurn(convs, attend[r]) if r in attention else convs for r in range(last + 1)]
    rows = [_Row(channels[0], channels[0], PlainConv(), each[0])]
    for r, width in enumerate(channels):
        rows += [_Row(width, width, each[r], each[r])] * blocks
        if r < last:
            rows.append(_Row(width, channels[r + 1], Keep(), each[r + 1], steps[r]))
    bottom = InTurn(convs, attend[-1], convs)
    rows.append(_Row(channels[-1], channels[-1], bottom, bottom))
    grid = partial(Grid, ndim, normalization=normalization, groups=groups, activation="silu")
    ways = [*(_ways(below.stride, down) for below in rows[1:]), (Keep(), Keep())]
    layers = grid().layers
    return UNet(
        [grid(row.block, down=down, up=up) for row, (down, up) in zip(rows, ways)],
        in_channels,
        out_channels,
        [
            *(LevelSpec(row.width, up_channels=below.out, decoder_channels=row.out) for row, below in pairwise(rows)),
            LevelSpec(rows[-1].width),
        ],
        strides=[row.stride for row in rows[1:]],
        decoder=[grid(row.decoder, down=down, up=up) for row, (down, up) in zip(rows, ways)],
        gradient_checkpointing=gradient_checkpointing,
        embed=embed,
        head=NormedConv(layers, channels[0], out_channels),
    )


@dataclass(frozen=True)
class _Row:
    """A level: channels and blocks of encoder and decoder, and the stride of the way down to it."""

    width: int
    out: int
    block: Block
    decoder: Block
    stride: Sizes = 1


def _ways(stride: Sizes, down: Down) -> tuple[Down, Up]:
    return (Keep(), Keep()) if stride == 1 else (down, Resize(kernel=3))


@dataclass(frozen=True)
class NormedAttention(Block):
    """Attention to all sites behind the grid's own norm; ``Attention`` has one of each site's channels."""

    heads: int

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        norm = layers.make_norm(out_channels)
        return Attention(self.heads).attend(Grid(layers.ndim), in_channels, out_channels, norm)


class NormedConv(nn.Sequential):
    """Head of a network: norm, activation and convolution, ``field -> field``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, layers: Layers, in_channels: int, out_channels: int) -> None:
        conv = layers.make_conv(in_channels, out_channels, (3,) * layers.ndim, True, padding=1)
        super().__init__(layers.make_norm(in_channels), layers.make_activation(in_channels), conv)
        self.reach = (1,) * layers.ndim
