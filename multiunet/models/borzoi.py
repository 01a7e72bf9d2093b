"""Network like Borzoi: convolutions and pooling, a transformer, and two steps up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiunet.core import Add, ConditionEmbedding, LevelSpec, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import MaxPool
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.positions import Relative
from multiunet.geometries.grid.transformer import Transformer, count_heads
from multiunet.models.genomic import GenomicUNet, Tower, prime_factors
from multiunet.models.reading_frames import ReadingFrames

HEAD = 64
"""Channels of a head, where the trunk's allow it."""


def borzoi(
    out_channels: int,
    bin_size: int = 32,
    channels: Sequence[int] = (1280, 1536, 1536),
    *,
    stem: int = 512,
    motif: int = 15,
    transformers: int = 8,
    dropout: float = 0.2,
    strand_pair: Sequence[int] | None = None,
    organisms: int = 0,
    reading_frames: bool = False,
    condition_channels: int = 0,
    gradient_checkpointing: bool = False,
) -> GenomicUNet:
    """A network like Borzoi (Linder et al. 2025, figure 1), its size by default.

    "Predicting RNA-seq coverage from DNA sequence as a unifying model of gene regulation". A tower of convolutions five
    wide halves the bases until they are bins; the U-Net halves these on, to sites of 128 bases, where transformer
    blocks attend, and comes back to bins by repeating sites, added skips and separable convolutions. Other than there,
    norms come behind convolutions, and heads are those of a common transformer.

    Args:
        bin_size: bases a bin; the poolings of the tower are its prime factors.
        channels: by level of bins, finest first; each level is half as fine, and the last is the transformer's.
        stem: channels of the bases; those of the tower grow from there to the first level's by equal factors.
        motif: width of the first kernel, in bases.
        transformers: number of transformer blocks.
        dropout: of the transformer and the decoder.
        organisms: number of labels, each with an embedding that modulates the transformer (``Condition.labels``: an
            organism, a cell type); 0: none.
        reading_frames: see ``genomic_unet``.
        condition_channels: channels of ``Condition.embedding`` (a dose), which modulates the transformer, too; 0: none.
        gradient_checkpointing: see ``UNet``.

    >>> import torch
    >>> net = borzoi(3, bin_size=8, channels=[8, 12, 16], stem=6, transformers=1)
    >>> net(torch.zeros(1, 4, 8 * 20)).shape
    torch.Size([1, 3, 20])
    """
    grid = Grid(1, block=Conv(kernel=5, convs=1), down=MaxPool(), activation="gelu")
    steps = prime_factors(bin_size)
    widths = grow_channels(stem, channels[0], max(1, len(steps)))
    first = replace(grid, block=Conv(kernel=motif, convs=1))
    width = channels[-1]
    told = organisms > 0 or condition_channels > 0
    embed = ConditionEmbedding(width, labels=organisms, embedding_channels=condition_channels) if told else None
    trunk = Transformer(count_heads(width, HEAD), Relative(), dropout=dropout, condition_channels=width if told else 0)
    up = replace(grid, block=Conv(kernel=3, convs=1, separable="all", dropout=dropout))
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
    frames = ReadingFrames() if reading_frames else None
    tower = Tower(first, grid, widths, steps, frames, gradient_checkpointing)
    return GenomicUNet(tower, unet, strand_pair)


def grow_channels(first: int, end: int, count: int) -> list[int]:
    """Return ``count`` numbers of channels that grow from ``first`` by equal factors.

    The next would be ``end``. They are multiples of a 16th of the first, as Borzoi's are of 32.

    >>> grow_channels(512, 1280, 5)
    [512, 608, 736, 896, 1056]
    """
    unit = max(1, first // 16)
    return [max(1, round(first * (end / first) ** (place / count) / unit)) * unit for place in range(count)]
