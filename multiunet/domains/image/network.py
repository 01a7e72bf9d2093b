"""Networks for images, built from the settings of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from multiunet.catalogue import PADDED, find_network
from multiunet.core import NestedUNet, UNet
from multiunet.domains.attending import make_attention
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last
from multiunet.models.residual_output import ResidualOutput


def build_network(
    config: ImageTrain, ndim: int, in_channels: int, out_channels: int, strides: Sequence[tuple[int, ...]]
) -> UNet[Tensor]:
    """Build the untrained network, in the settings' memory format, or else the one that suits it.

    Args:
        strides: down-sampling factors of each level, by axis.
    """
    own: dict[str, Any] = {"padding": "same"} if config.model in PADDED else {}
    if config.model == "image_unet":
        own = {"normalization": config.normalization, "residual": config.residual, "skip": config.skip}
        own["attention"] = make_attention(config, config.levels())
    net: UNet[Tensor] = find_network(config.model)(
        ndim,
        in_channels,
        out_channels,
        config.levels(),
        strides=list(strides),
        dropout=config.dropout,
        gradient_checkpointing=config.gradient_checkpointing,
        **own,
    )
    if config.memory_format == "channels-last" or (config.memory_format is None and likes_channels_last(net, ndim)):
        put_channels_last(net, ndim)
    return net


def add_input(net: UNet[Tensor] | NestedUNet[Tensor], info: ImageInfo) -> ResidualOutput:
    """Return the network that restores images: it gives the image plus a difference that it learns.

    What the network reads is ``(p - m) / s``, and what the task learns is ``(t - c) / d``, so the image is
    ``x * s / d + (m - c) / d`` on the task's scale.
    """
    for weights in (net.heads if isinstance(net, NestedUNet) else net.head).parameters():
        nn.init.zeros_(weights)  # untrained it is the input, with the variance that the difference has
    known, restored = info.intensities, info.restored
    parts = list(zip(known.mean, known.deviation, info.quantities.centre, restored.difference))
    factor = [s / d for _, s, _, d in parts]
    offset = [(m - c) / d for m, _, c, d in parts]
    return ResidualOutput(net, factor, offset, info.ndim)
