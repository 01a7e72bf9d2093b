"""Network of a generator of DNA."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from multiunet.core import SKIPS, UNet
from multiunet.domains.attending import make_attention
from multiunet.domains.genome.config import GenomeTrain
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import AveragePool
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import put_behind
from multiunet.geometries.grid.memory_format import put_channels_last
from multiunet.models.genomic import bin_strides

BASES = ("A", "C", "G", "T")


def build_generator(config: GenomeTrain) -> UNet[Tensor]:
    """Build the untrained network: a U-Net on bases, ``(N, 5, L)`` to logits ``(N, 4, L)``, for any L.

    The input is one-hot, its fifth channel that of masked bases: so the network sees how many are masked. Norms are
    those of each site's channels, so that sequences can be made tile by tile.
    """
    block = Conv(kernel=5, residual=True, dropout=config.dropout)
    grid = Grid(1, normalization="layer", activation="silu", down=AveragePool())
    levels = len(config.widths)
    blocks = put_behind(block, make_attention(config, config.widths), levels)
    net: UNet[Tensor] = UNet(
        [replace(grid, block=block) for block in blocks],
        len(BASES) + 1,
        len(BASES),
        config.widths,
        strides=bin_strides(levels),
        skip=SKIPS[config.skip],
        gradient_checkpointing=config.gradient_checkpointing,
    )
    if config.memory_format == "channels-last":
        put_channels_last(net, 1)
    return net
