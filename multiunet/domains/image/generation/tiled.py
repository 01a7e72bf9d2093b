"""Denoising and noise tile by tile, so that the memory a network takes does not grow with the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from multiunet.core import Condition
from multiunet.diffusion import Denoiser, Guidance, Noise, SiteNoise
from multiunet.prediction.tiles import Tile

NOISE_SITES = 1 << 20
"""Sites whose noise is drawn at once, about."""


@dataclass(frozen=True)
class TiledDenoiser:
    """Denoiser of whole images, which computes them tile by tile.

    Each site is computed once, from a tile read with the halo that the network needs; so the result is that of the
    whole image, to rounding, where the network's receptive field is exact.

    Args:
        denoiser: of fields of any size.
        plan: the tiles; one alone is the whole.
        condition: one row a sample.
        guidance: see ``Denoiser``.
        beside: channels beside the noisy image, ``(N or 1, G, *space)``; None: none.
        device: where the network is; images are in the computer's memory.
        bf16: compute the network in it.
    """

    denoiser: Denoiser[Tensor]
    plan: list[Tile]
    condition: Condition | None
    guidance: Guidance
    beside: Tensor | None
    device: torch.device
    bf16: bool = False

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Return the expected data of noisy images ``(N, C, *space)``, on the CPU."""
        result = torch.empty_like(x)
        condition = None if self.condition is None else self.condition.to(self.device)
        for tile in self.plan:
            window = (slice(None), slice(None), *map(slice, tile.start, tile.stop))
            field = x[window].to(self.device)
            given = (
                None
                if self.beside is None
                else self.beside[window].to(self.device).expand(len(x), *[-1] * (x.ndim - 1))
            )
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                data = self.denoiser(field, sigma, condition, self.guidance, given)
            result[(slice(None), slice(None), *tile.out)] = data[(slice(None), slice(None), *tile.keep)].to(result)
        return result


def draw_noise(noise: SiteNoise[Tensor], shape: Sequence[int], samples: Sequence[int]) -> Noise:
    """Return noise on images as a function of the draw, made a few rows at a time: the same as at once.

    Args:
        shape: ``(channels, *space)``.
        samples: numbers of the samples.
    """
    channels, first, rest = shape[0], shape[1], tuple(shape[2:])
    rows = max(1, NOISE_SITES // max(1, len(samples) * channels * math.prod(rest)))

    def draw(number: int) -> Tensor:
        result = torch.empty(len(samples), channels, first, *rest)
        for begin in range(0, first, rows):
            end = min(begin + rows, first)
            field = torch.empty(len(samples), 0, end - begin, *rest)
            result[:, :, begin:end] = noise.normal(field, samples, channels, number, (begin, *(0,) * len(rest)))
        return result

    return draw
