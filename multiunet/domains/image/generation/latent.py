"""Latents of images: how coarse they are, and a generator that works in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Autoencoder, Condition, Trail, UNet
from multiunet.core.receptive_field import ReceptiveField, receptive_field
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.geometries.grid.layers import AVERAGE_POOL
from multiunet.models.autoencoder import autoencoder
from multiunet.models.image_unet import choose_strides
from multiunet.prediction.tiles import core_sides, tiles


class LatentGenerator(nn.Module):
    """Generator of latents, with the autoencoder that makes images of them, whose weights are fixed.

    Args:
        net: denoises latents, ``(N, latent channels + beside, *coarse)`` to ``(N, latent channels, *coarse)``.
        coder: makes images of them.
    """

    def __init__(self, net: UNet[Tensor], coder: Autoencoder[Tensor]) -> None:
        super().__init__()
        self.net, self.coder = net, coder.requires_grad_(False)
        self.geometry, self.in_channels, self.out_channels = net.geometry, net.in_channels, net.out_channels

    def train(self, mode: bool = True) -> LatentGenerator:
        super().train(mode)
        self.coder.eval()
        return self

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        """Return what the network predicts of noisy latents."""
        return self.net(x, condition)  # type: ignore[no-any-return]

    def encode(self, x: Tensor, condition: Condition | None = None) -> Trail[Tensor]:
        """Return the network's trail."""
        return self.net.encode(x, condition)

    def share(self, trail: Trail[Tensor]) -> Trail[Any]:
        """Return the trail for many decodings; see ``Encoder``."""
        return self.net.share(trail)

    def decode(self, trail: Trail[Tensor], condition: Condition | None = None) -> Tensor:
        """Return the network's output."""
        return self.net.decode(trail, condition)

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's own receptive field, in sites of the latents."""
        return receptive_field(self.net)


def build_coder(config: ImageTrain, info: ImageInfo) -> Autoencoder[Tensor]:
    """Build the untrained autoencoder: as wide as the generator at its finest level, then twice as wide."""
    strides, first = latent_strides(info), config.levels()[0]
    assert info.generated.latent is not None
    return autoencoder(
        info.ndim,
        info.channels,
        info.generated.latent.channels,
        [first] + [2 * first] * len(strides),
        strides=strides,
        gradient_checkpointing=config.gradient_checkpointing,
    )


def latent_strides(info: ImageInfo) -> list[tuple[int, ...]]:
    """Return the strides of each way down to the latents, by axis; none where the network works on pixels."""
    latent = info.generated.latent
    if latent is None:
        return []
    return choose_strides(info.patch_size, info.spacing, round(math.log2(latent.factor)))


def latent_factor(info: ImageInfo) -> tuple[int, ...]:
    """Return how many pixels, by axis, each site of the network stands for."""
    return tuple(math.prod(steps) for steps in zip((1,) * info.ndim, *latent_strides(info)))


def network_space(info: ImageInfo, space: Sequence[int]) -> tuple[int, ...]:
    """Return the sites, by axis, on which the network makes an image of so many pixels."""
    return tuple(-(-n // factor) for n, factor in zip(space, latent_factor(info)))


def coarsen(beside: Tensor, strides: Sequence[tuple[int, ...]]) -> Tensor:
    """Return means of channels ``(N, C, *space)`` over the pixels of each site of the latents.

    Of classes these are shares.
    """
    if beside.shape[1] == 0:
        return beside.new_zeros(len(beside), 0, *_after(beside.shape[2:], strides))
    for step in strides:
        beside = AVERAGE_POOL[len(step)](step, ceil_mode=True, count_include_pad=False)(beside)
    return beside


def _after(space: Sequence[int], strides: Sequence[tuple[int, ...]]) -> list[int]:
    sites = list(space)
    for step in strides:
        sites = [-(-n // s) for n, s in zip(sites, step)]
    return sites


@torch.no_grad()
def decode_tiled(
    coder: Autoencoder[Tensor], latents: Tensor, space: Sequence[int], factor: Sequence[int], most: int
) -> Tensor:
    """Return the images ``(N, C, *space)`` of standardised latents, made tile by tile.

    Each tile is read with a halo that holds all that the decoder sees, so that there are no seams.

    Args:
        factor: pixels of a site of the latents, by axis.
        most: pixels that are decoded at once, about.
    """
    ones, nothing = (1,) * len(factor), ((0, 0),) * len(factor)
    # in sites of the latents; that of the way back alone is smaller
    radius = tuple(-(-r // f) for r, f in zip(receptive_field(coder.net).radius, factor))
    seen, coarse = ReceptiveField(radius, ones, ones, exact=True), tuple(latents.shape[2:])
    sides = core_sides(coarse, seen, nothing, max(1, most // math.prod(factor)))
    images = torch.empty(len(latents), coder.out_channels, *space)
    for tile in tiles(coarse, seen, nothing, sides):
        read = [min(b * f, n) - a * f for a, b, f, n in zip(tile.start, tile.stop, factor, space)]
        kept = _in_pixels(tile.keep, factor, space)
        rows = max(1, most // math.prod(read))
        for first in range(0, len(latents), rows):
            some = slice(first, first + rows)
            latent = latents[(some, slice(None), *map(slice, tile.start, tile.stop))].to(coder.centre.device)
            levels = coder.sites(latent.new_zeros(len(latent), coder.in_channels, *read))
            found = coder.decode(latent, levels)[(slice(None), slice(None), *kept)]
            images[(some, slice(None), *_in_pixels(tile.out, factor, space))] = found.float().cpu()
    return images


def _in_pixels(sites: Sequence[slice], factor: Sequence[int], space: Sequence[int]) -> list[slice]:
    """Return the pixels of sites of the latents; none lies beyond the image."""
    return [slice(s.start * f, min(s.stop * f, n)) for s, f, n in zip(sites, factor, space)]
