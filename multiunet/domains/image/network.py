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
from multiunet.models.sees_input import AddInput, SeesInput, WeighInput


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


def see_input(net: UNet[Tensor] | NestedUNet[Tensor], info: ImageInfo) -> nn.Module:
    """Return the network that restores images, with a last layer that sees its input, if that may be.

    It gives the image plus a difference that it learns; or, of noisy images alone with known noise, what neighbours say
    of a pixel, which predictions correct by the pixel itself.
    """
    restored, (factor, offset) = info.restored, _map_input(info)
    if not restored.blind:
        for weights in (net.heads if isinstance(net, NestedUNet) else net.head).parameters():
            nn.init.zeros_(weights)  # untrained it is the input, with the variance that the difference has
        return SeesInput(net, AddInput(factor, offset, info.ndim))
    if restored.noise is None:
        return net
    variance = [(restored.noise / scale) ** 2 for scale in restored.difference]
    return SeesInput(net, WeighInput(factor, offset, variance, info.ndim))


def _map_input(info: ImageInfo) -> tuple[list[float], list[float]]:
    """Factor and offset, by channel, of the image from the network's scale to the task's.

    What the network reads is ``(p - m) / s``, and what the task learns is ``(t - c) / d``, so the image is
    ``x * s / d + (m - c) / d`` on the task's scale.
    """
    known = info.intensities
    parts = list(zip(known.mean, known.deviation, info.quantities.centre, info.restored.difference))
    return [s / d for _, s, _, d in parts], [(m - c) / d for m, _, c, d in parts]
