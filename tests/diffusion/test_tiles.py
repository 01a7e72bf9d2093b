"""A sample that is made tile by tile is the sample that is made whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from multiunet import Grid, UNet, receptive_field
from multiunet.core import ConditionEmbedding, Fourier
from multiunet.diffusion import EDM, Denoiser, Preconditioned, Sampler, SiteNoise
from multiunet.geometries import Conv
from multiunet.prediction.tiles import tiles


@pytest.mark.parametrize(
    ("shape", "side"),
    [((150,), 30), ((150,), 7), ((40, 26), 16), ((14, 8, 9), 6)],
    ids=["1-D", "1-D small", "2-D", "3-D"],
)
def test_tiles_make_the_whole_sample(shape: tuple[int, ...], side: int) -> None:
    grid = Grid(len(shape), block=Conv(condition_channels=8), normalization="layer")
    net = UNet(grid, 1, 1, [4, 8], embed=ConditionEmbedding(8, noise=Fourier(8))).eval()
    denoiser, field = Denoiser(net, Preconditioned(), grid), torch.zeros(1, 1, *shape)
    plan = tiles(shape, receptive_field(net), ((0, 0),) * len(shape), (side,) * len(shape))
    assert len(plan) > 1

    @torch.no_grad()
    def denoise(x: Tensor, sigma: float) -> Tensor:
        result = torch.empty_like(x)
        for tile in plan:
            part = denoiser(x[(..., *map(slice, tile.start, tile.stop))], sigma)
            result[(..., *tile.out)] = part[(..., *tile.keep)]
        return result

    def noise(draw: int) -> Tensor:
        """Noise, tile by tile, too."""
        drawn, site_noise = torch.empty_like(field), SiteNoise(grid, 4)
        for tile in plan:
            part = site_noise.normal(field[(..., *tile.out)], [3], 1, draw, [axis.start for axis in tile.out])
            drawn[(..., *tile.out)] = part
        return drawn

    sampler = Sampler(EDM().sigmas(18))
    whole = sampler.run(denoiser.on(field), SiteNoise(grid, 4).on(field, [3], 1))
    torch.testing.assert_close(sampler.run(denoise, noise), whole, rtol=0, atol=1e-4)
