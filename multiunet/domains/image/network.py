"""Networks for images, built from the settings of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from multiunet.catalogue import PADDED, find_network
from multiunet.core import NestedUNet, UNet
from multiunet.domains.attending import make_attention
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.encoding import build_encoder_unet
from multiunet.domains.image.info import ImageInfo
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last
from multiunet.models.sees_input import AddInput, AddNeighbours, SeesInput, WeighInput


def build_network(
    config: ImageTrain, ndim: int, in_channels: int, out_channels: int, strides: Sequence[tuple[int, ...]]
) -> UNet[Tensor]:
    """Build the untrained network, in the settings' memory format, or else the one that suits it.

    Args:
        strides: down-sampling factors of each level, by axis.
    """
    if config.encoder is None:
        net = _build_named(config, ndim, in_channels, out_channels, strides)
    else:
        net = build_encoder_unet(config, in_channels, out_channels)
    if config.memory_format == "channels-last" or (config.memory_format is None and likes_channels_last(net, ndim)):
        put_channels_last(net, ndim)
    return net


def _build_named(
    config: ImageTrain, ndim: int, in_channels: int, out_channels: int, strides: Sequence[tuple[int, ...]]
) -> UNet[Tensor]:
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
    return net


def see_input(net: UNet[Tensor] | NestedUNet[Tensor], info: ImageInfo) -> nn.Module:
    """Return the network that restores images, with last layers that see its input, if that may be.

    It gives the image plus a difference that it learns. Of noisy images alone, where it must not see the pixel that it
    is to tell, it gives the mean of the pixel's neighbours plus a difference; if the noise is known, predictions
    correct that by the pixel itself.
    """
    restored, (factor, offset) = info.restored, _map_input(info)
    if not restored.blind:
        return SeesInput(_zero_head(net), AddInput(factor, offset, info.ndim))
    layers: list[nn.Module] = []
    if restored.smoothing is not None:
        net = _zero_head(net)
        layers.append(AddNeighbours(factor, offset, info.ndim, restored.smoothing))
    if restored.noise is not None:
        variance = [(restored.noise / scale) ** 2 for scale in restored.difference]
        layers.append(WeighInput(factor, offset, variance, info.ndim))
    return SeesInput(net, *layers) if layers else net


def _zero_head(net: UNet[Tensor] | NestedUNet[Tensor]) -> UNet[Tensor] | NestedUNet[Tensor]:
    """Let an untrained network change nothing, with the variance that the difference has."""
    for weights in (net.heads if isinstance(net, NestedUNet) else net.head).parameters():
        nn.init.zeros_(weights)
    return net


def _map_input(info: ImageInfo) -> tuple[list[float], list[float]]:
    """Factor and offset, by channel, of the image from the network's scale to the task's.

    What the network reads is ``(p - m) / s``, and what the task learns is ``(t - c) / d``, so the image is
    ``x * s / d + (m - c) / d`` on the task's scale.
    """
    known = info.intensities
    parts = list(zip(known.mean, known.deviation, info.quantities.centre, info.restored.difference))
    return [s / d for _, s, _, d in parts], [(m - c) / d for m, _, c, d in parts]
