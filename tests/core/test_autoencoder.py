from __future__ import annotations

import pytest
import torch

from multiunet import Geometry, Graph, Grid, UNet
from multiunet.core import Autoencoder, Concat, NoSkip
from multiunet.geometries import HeavyEdgeMatching
from tests.diffusion.conftest import make_field

GEOMETRIES = [Grid(1), Grid(2), Grid(3), Graph(pool=HeavyEdgeMatching())]


def make_coder(geometry: Geometry, channels: int = 3, noise: float = 0.05) -> Autoencoder:
    torch.manual_seed(0)
    net = UNet(geometry, 2, 2, [6, 8], skip=NoSkip)
    return Autoencoder(net, channels, noise).double().eval()


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=["1-D", "2-D", "3-D", "graph"])
def test_what_comes_back_is_what_the_network_gives_and_the_latent_alone_decides_it(geometry: Geometry) -> None:
    coder, field = make_coder(geometry, noise=0.0), make_field(geometry, 2)
    latent = coder.encode(field)
    assert geometry.features(latent).shape[1] == 3
    sites = coder.sites(field)
    assert geometry.features(sites[0]).shape[1] == 0
    decoded = geometry.features(coder.decode(latent, sites))
    expected = geometry.features(coder(field))
    assert decoded.shape == geometry.features(field).shape
    torch.testing.assert_close(decoded, expected, rtol=0, atol=1e-6)


def test_latents_are_bounded_and_standardised_as_told() -> None:
    coder, field = make_coder(Grid(2)), torch.randn(5, 2, 6, 5, dtype=torch.float64)
    bounded = coder.encode(field)
    assert bounded.abs().max() <= 1
    centre, scale = torch.tensor([0.1, -0.2, 0.3]).double(), torch.tensor([0.5, 2.0, 0.1]).double()
    before = coder.decode(bounded, coder.sites(field))
    coder.standardise(centre, scale)
    expected = (bounded.movedim(1, -1) - centre) / scale
    torch.testing.assert_close(coder.encode(field).movedim(1, -1), expected.to(bounded), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(coder.decode(coder.encode(field), coder.sites(field)), before, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="train it longer"):
        coder.standardise(centre, torch.zeros(3))


def test_noise_is_there_in_training_alone() -> None:
    coder, field = make_coder(Grid(1), noise=0.5), torch.randn(1, 2, 8, dtype=torch.float64)
    assert torch.equal(coder(field), coder(field))
    coder.train()
    assert not torch.equal(coder(field), coder(field))


@pytest.mark.parametrize(
    ("skip", "outputs", "channels", "words"),
    [
        (Concat, 2, 3, "carry the input past the latent"),
        (NoSkip, 1, 3, "cannot be compared"),
        (NoSkip, 2, 0, "1 or more"),
    ],
)
def test_what_is_no_autoencoder_is_refused(skip: type, outputs: int, channels: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Autoencoder(UNet(Grid(2), 2, outputs, [4, 8], skip=skip), channels)
