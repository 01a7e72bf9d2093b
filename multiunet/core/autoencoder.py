"""Autoencoder: a U-Net without skips, whose coarsest field is a latent of few channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from multiunet.core.unet import Trail, UNet

S = TypeVar("S")


class Autoencoder(nn.Module, Generic[S]):
    """Autoencoder on any geometry: from a field to its latent, a coarser field of few channels, and back.

    Trained by comparing what it gives with its input. The latent is ``tanh`` of an affine map of the U-Net's coarsest
    field, so it is bounded; and in training noise is added to it, so nothing can hide in tiny differences, and decoding
    forgives small errors (Ghosh et al. 2020, "From variational to deterministic autoencoders", section 3). A generator
    then works in latents (Rombach et al. 2022, section 3.1), which are standardised: mean 0 and deviation 1 in each
    channel over the data that ``standardise`` is told of.

    Args:
        net: U-Net whose skips carry nothing (``skip=NoSkip``), with as many output as input channels.
        channels: of the latent.
        noise: deviation of the noise of training, where latents lie in -1 to 1.

    Attributes:
        geometry, in_channels, out_channels: those of the network.
        centre, scale: mean and deviation of the bounded latents, one number a channel; 0 and 1 at first.

    Raises:
        ValueError: when a skip carries features, which would go around the latent, or numbers do not fit.

    >>> from multiunet import Grid
    >>> from multiunet.core import NoSkip
    >>> coder = Autoencoder(UNet(Grid(2), 1, 1, [8, 16, 16], skip=NoSkip), channels=4).eval()
    >>> images = torch.rand(2, 1, 27, 30)
    >>> latents = coder.encode(images)
    >>> latents.shape, coder.decode(latents, coder.sites(images)).shape
    (torch.Size([2, 4, 7, 8]), torch.Size([2, 1, 27, 30]))
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, net: UNet[S], channels: int, noise: float = 0.05) -> None:
        super().__init__()
        if any(merge.join.reads_skip for merge in net.merges):  # type: ignore[union-attr]
            raise ValueError("the network has skips, which carry the input past the latent; build it with skip=NoSkip")
        if net.in_channels != net.out_channels:
            raise ValueError(
                f"{net.out_channels} output channels cannot be compared with {net.in_channels} of the input"
            )
        if channels < 1 or noise < 0:
            raise ValueError(f"channels {channels} must be 1 or more, and noise {noise} not negative")
        self.net, self.channels, self.noise = net, channels, noise
        self.geometry, self.in_channels, self.out_channels = net.geometry, net.in_channels, net.out_channels
        self.into = self.geometry.make_pointwise(net.bottom_channels, channels)
        self.out_of = self.geometry.make_pointwise(channels, net.bottom_channels)
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def forward(self, x: S) -> S:
        """Return the field as its latent tells it; in training as its latent with noise does."""
        trail = self.net.encode(x)
        latent = self._bound(trail.bottom)
        if self.training and self.noise:
            features = self.geometry.features(latent)
            latent = self.geometry.with_features(latent, features + self.noise * torch.randn_like(features))
        return self.net.decode(Trail(trail.saved, self.out_of(latent)))

    def encode(self, x: S) -> S:
        """Return the standardised latent, ``(N, channels, *coarse sites)``, without noise."""
        latent = self._bound(self.net.encode(x).bottom)
        features = self.geometry.features(latent).float()
        return self.geometry.with_features(
            latent, (features - self._along(self.centre, features)) / self._along(self.scale, features)
        )

    def decode(self, latent: S, sites: Sequence[S]) -> S:
        """Return the field of a standardised latent.

        Args:
            sites: of each level but the coarsest, finest first; see ``sites``. Their features are not read.
        """
        features = self.geometry.features(latent)
        bounded = features * self._along(self.scale, features) + self._along(self.centre, features)
        inside = self.out_of(self.geometry.with_features(latent, bounded))
        return self.net.decode(Trail(tuple(sites), inside))

    @torch.no_grad()
    def sites(self, x: S) -> tuple[S, ...]:
        """Return the sites of each level above the latent of a field, finest first, without features."""
        saved = self.net.encode(x).saved
        return tuple(self.geometry.with_features(field, self.geometry.features(field)[:, :0]) for field in saved)

    def standardise(self, centre: Tensor, scale: Tensor) -> None:
        """Keep the mean and the deviation, ``(channels,)`` each, of latents that had none before.

        Raises:
            ValueError: when a deviation is not positive: a channel of the latent is the same everywhere.
        """
        if not bool((scale > 0).all()):
            raise ValueError(f"deviations {scale.tolist()} of the latent's channels must be positive; train it longer")
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def _bound(self, bottom: S) -> S:
        latent: S = self.into(bottom)
        return self.geometry.with_features(latent, torch.tanh(self.geometry.features(latent)))

    @staticmethod
    def _along(numbers: Tensor, features: Tensor) -> Tensor:
        """One number a channel, shaped to go with features."""
        return numbers.reshape(1, -1, *[1] * (features.ndim - 2))
