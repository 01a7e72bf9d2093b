"""Networks of genomes as settings describe them."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.attending import make_attention
from multiunet.domains.attention import MOST_ATTENDED, check_attention
from multiunet.domains.genome.config import GenomeTrain
from multiunet.geometries.grid.memory_format import put_channels_last
from multiunet.models.alphagenome import alphagenome
from multiunet.models.borzoi import borzoi
from multiunet.models.genomic import GenomicUNet, bin_strides, genomic_unet

LONG = {"borzoi": borzoi, "alphagenome": alphagenome}
"""Networks with a transformer at the bottom, by name."""

MOST_ATTENDED_LONG = 4096
"""Sites over which their attention may run: 524 kb, at 128 bases a site."""


def build_network(
    config: GenomeTrain, out_channels: int, strand_pair: Sequence[int], condition_channels: int = 0
) -> GenomicUNet:
    """Build the untrained network.

    Args:
        strand_pair: for each output channel, the one that holds the same signal on the other strand.
        condition_channels: features of what the network is told beside the sequence; 0: nothing.
    """
    if config.network == "unet":
        net = genomic_unet(
            *(out_channels, config.bin_size, config.widths),
            stem=config.stem_channels,
            motif=config.stem_kernel,
            dropout=config.dropout,
            skip=config.skip,
            attention=make_attention(config, config.widths),
            strand_pair=strand_pair,
            reading_frames=config.reading_frames,
            condition_channels=condition_channels,
            gradient_checkpointing=config.gradient_checkpointing,
        )
    else:
        net = LONG[config.network](
            *(out_channels, config.bin_size, config.widths),
            stem=config.stem_channels,
            motif=config.stem_kernel,
            transformers=config.attention_blocks,
            dropout=config.dropout,
            strand_pair=strand_pair,
            reading_frames=config.reading_frames,
            condition_channels=condition_channels,
            gradient_checkpointing=config.gradient_checkpointing,
        )
    if config.memory_format == "channels-last":
        put_channels_last(net, 1)
    return net


def level_strides(config: GenomeTrain) -> list[int]:
    """Return the stride of each coarser level of bins."""
    return bin_strides(len(config.widths)) if config.network == "unet" else [2] * (len(config.widths) - 1)


def check_sites(config: GenomeTrain) -> None:
    """Check that a window is not too long for attention to all of its sites.

    Raises:
        InputError: when it is.
    """
    most = MOST_ATTENDED if config.network == "unet" else MOST_ATTENDED_LONG
    strides = [(step,) for step in level_strides(config)]
    check_attention(config, (config.bins_of_window(),), strides, "window", most)
