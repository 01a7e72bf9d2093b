"""Network like AlphaGenome: poolings by two, a transformer, and up again to single bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiunet.core import Add, ConditionEmbedding, LevelSpec, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import MaxPool
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.positions import Rotary
from multiunet.geometries.grid.transformer import Transformer, count_heads
from multiunet.models.borzoi import grow_channels
from multiunet.models.genomic import GenomicUNet, Tower, prime_factors
from multiunet.models.reading_frames import ReadingFrames

HEAD = 128
"""Channels of a head, where the trunk's allow it."""


def alphagenome(
    out_channels: int,
    bin_size: int = 1,
    channels: Sequence[int] = (768, 896, 1024, 1152, 1280, 1408, 1536, 1536),
    *,
    stem: int = 768,
    motif: int = 15,
    transformers: int = 9,
    dropout: float = 0.2,
    strand_pair: Sequence[int] | None = None,
    organisms: int = 0,
    reading_frames: bool = False,
    condition_channels: int = 0,
    gradient_checkpointing: bool = False,
) -> GenomicUNet:
    """A network like AlphaGenome (Avsec et al. 2025, figure 1), its size by default.

    "AlphaGenome: advancing regulatory variant effect prediction with a unified DNA sequence model". Seven poolings by
    two lead from bases to sites of 128, where transformer blocks with rotary positions attend; each level is saved, and
    added on the way back to single bases. Other than there, there is no representation of pairs of sites, norms come
    behind convolutions, and the organism modulates the transformer's norms.

    Args:
        bin_size: bases a bin, with which the U-Net begins and ends; 1: single bases.
        channels: by level, finest first; each level is half as fine, and the last is the transformer's.
        stem: channels of the first convolution.
        motif: its width, in bases.
        transformers, dropout, organisms, reading_frames, condition_channels, gradient_checkpointing: see ``borzoi``.

    >>> import torch
    >>> net = alphagenome(3, channels=[4, 6, 8], stem=4, transformers=1)
    >>> net(torch.zeros(1, 4, 21)).shape
    torch.Size([1, 3, 21])
    """
    grid = Grid(1, block=Conv(kernel=5, residual=True), down=MaxPool(), activation="gelu")
    steps = prime_factors(bin_size)
    widths = grow_channels(stem, channels[0], max(1, len(steps)))
    width = channels[-1]
    told = organisms > 0 or condition_channels > 0
    embed = ConditionEmbedding(width, labels=organisms, embedding_channels=condition_channels) if told else None
    trunk = Transformer(
        count_heads(width, HEAD), Rotary(), expansion=2, dropout=dropout, condition_channels=width if told else 0
    )
    up = replace(grid, block=Conv(kernel=5, residual=True, dropout=dropout))
    levels = len(channels) - 1
    unet = UNet(
        *([*[grid] * levels, replace(grid, block=trunk)], widths[-1], out_channels),
        [*channels[:-1], LevelSpec(width, blocks=transformers)],
        strides=[2] * levels,
        skip=Add,
        decoder=[*[up] * levels, replace(up, block=trunk)],
        embed=embed,
        gradient_checkpointing=gradient_checkpointing,
    )
    first = replace(grid, block=Conv(kernel=motif, convs=1))
    frames = ReadingFrames() if reading_frames else None
    tower = Tower(first, grid, widths, steps, frames, gradient_checkpointing)
    return GenomicUNet(tower, unet, strand_pair)
