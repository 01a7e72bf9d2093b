"""Autoencoder of images, volumes and signals."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multiunet.core import Autoencoder, NoSkip, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid


def autoencoder(
    ndim: int,
    channels: int,
    latent_channels: int = 4,
    widths: Sequence[int] = (32, 64, 64),
    *,
    strides: Sequence[tuple[int, ...]] | None = None,
    noise: float = 0.05,
    gradient_checkpointing: bool = False,
) -> Autoencoder[Tensor]:
    """Build an autoencoder of residual blocks with local norms: its tiles are those of the whole.

    ``(N, channels, *space)`` of any size has a latent ``(N, latent_channels, *coarse)``, whose sites are the strides'
    product apart: 4 with three widths. As the first stage of latent diffusion (Rombach et al. 2022), but compared by
    squares alone and without an adversary: what it loses is fine texture.

    Args:
        ndim: axes of space: 1, 2 or 3.
        channels: of the field.
        widths: channels by level, finest first; the last is that of the latent's sites.
        strides: by way down, one number an axis; None halves every axis.
        noise: see ``Autoencoder``.

    >>> import torch
    >>> coder = autoencoder(1, channels=2, widths=[8, 16, 16])
    >>> coder.encode(torch.zeros(1, 2, 64)).shape
    torch.Size([1, 4, 16])
    """
    grid = Grid(ndim, block=Conv(residual=True), normalization="layer", activation="silu")
    net = UNet(
        grid,
        channels,
        channels,
        list(widths),
        strides=strides,
        skip=NoSkip,
        gradient_checkpointing=gradient_checkpointing,
    )
    return Autoencoder(net, latent_channels, noise)
