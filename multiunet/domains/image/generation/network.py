"""Network of a generator, and what makes of it a denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from torch import Tensor, nn

from multiunet.core import SKIPS, ConditionEmbedding, Fourier, UNet
from multiunet.diffusion import EDM, Parameterization, Preconditioned, Process
from multiunet.domains.attending import HEAD, make_attention
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.generation.data import SIGMA_DATA
from multiunet.domains.image.generation.info import Generation
from multiunet.domains.image.generation.latent import LatentGenerator, build_coder
from multiunet.domains.image.info import ImageInfo
from multiunet.geometries.attention import CrossAttention
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import InTurn, put_behind
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.transformer import count_heads

NOISE_CHANNELS = 64
"""Sines and cosines of the level of noise."""

TOLD_LEVELS = 2
"""Coarsest levels whose sites read the words of a caption."""


def make_process() -> Process:
    """Return the process of all generators of images."""
    return EDM(sigma_data=SIGMA_DATA)


def make_parameterization() -> Parameterization:
    """Return what all generators of images predict."""
    return Preconditioned(sigma_data=SIGMA_DATA)


def build_generator(config: ImageTrain, info: ImageInfo) -> UNet[Tensor] | LatentGenerator:
    """Build the untrained network of a generator.

    A U-Net of residual blocks, with the level of noise, and a label, in each of its norms (Ho et al. 2020; Dhariwal &
    Nichol 2021). By default its norms are local, so that samples can be made tile by tile.

    ``(N, channels + beside, *space)`` with a condition becomes ``(N, channels, *space)``. In latents these are the
    latents' channels and sites, and the autoencoder is part of it.
    """
    known, channels = info.generated, config.levels()
    diffused = info.channels if known.latent is None else known.latent.channels
    embed = make_embedding(known, 4 * channels[0])
    block = Conv(residual=config.residual, dropout=config.dropout, condition_channels=embed.channels)
    grid = Grid(info.ndim, normalization=config.normalization, activation="silu")
    blocks = put_behind(block, _behind(config, embed, channels), len(channels))
    net = UNet(
        [replace(grid, block=block) for block in blocks],
        diffused + known.beside,
        diffused,
        channels,
        strides=_strides(info.strides, len(channels) - 1),
        skip=SKIPS[config.skip],
        gradient_checkpointing=config.gradient_checkpointing,
        embed=embed,
    )
    _order_memory(net, config, info)
    if known.latent is None:
        return net
    coder = build_coder(config, info)
    _order_memory(coder.net, config, info)
    return LatentGenerator(net, coder)


def _order_memory(net: nn.Module, config: ImageTrain, info: ImageInfo) -> None:
    if config.memory_format == "channels-last" or (
        config.memory_format is None and likes_channels_last(net, info.ndim)
    ):
        put_channels_last(net, info.ndim)


def _behind(config: ImageTrain, embed: ConditionEmbedding, channels: Sequence[int]) -> list[Block]:
    """Return what is behind the convolutions of the coarsest levels: attention, and the reading of captions."""
    attending = make_attention(config, channels)
    if embed.word_table is None and embed.token_project is None:
        return attending
    told = [CrossAttention(embed.token_channels, count_heads(width, HEAD)) for width in channels[-TOLD_LEVELS:]]
    rows = zip_longest(reversed(attending), reversed(told))
    blocks: list[Block] = [InTurn(*(part for part in row if part is not None)) for row in rows]
    return blocks[::-1]


def make_embedding(known: Generation, channels: int) -> ConditionEmbedding:
    """Return what embeds the level of noise, a label and words."""
    own = known.embeddings
    return ConditionEmbedding(
        channels,
        embedding_channels=own.channels if own is not None and not own.tokens else 0,
        tokens_in=own.channels if own is not None and own.tokens else 0,
        noise=Fourier(NOISE_CHANNELS),
        labels=0 if known.labels is None else len(known.labels.names),
        words=0 if known.words is None else len(known.words.vocabulary),
        most_words=1 if known.words is None else known.words.longest,
    )


def _strides(strides: Sequence[tuple[int, ...]], ways: int) -> list[tuple[int, ...]] | None:
    return list(strides) if len(strides) == ways else None
