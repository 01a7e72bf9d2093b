"""Networks for images, built from the settings of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from multiunet.catalogue import PADDED, find_network
from multiunet.core import UNet
from multiunet.domains.attending import make_attention
from multiunet.domains.image.config import ImageTrain
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last


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
