"""Peers on the network of one strand: tangermeme's DeepLIFT and mutagenesis, captum's DeepLift."""

import numpy as np
import pytest
import torch

from multiunet.domains.genome.attribution.gradients import TrackSums
from multiunet.models.genomic import genomic_unet
from multiunet.tasks import Regression

BINS, BIN = 24, 8


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = genomic_unet(1, BIN, channels=[6, 8], stem=6, motif=7, dropout=0.3)
    net.train()
    net(torch.nn.functional.one_hot(torch.randint(0, 4, (4, BIN * 32)), 4).movedim(2, 1).float())
    return net.eval()


@pytest.fixture
def sums(net):
    return TrackSums(net.one_strand(), Regression(["signal"], "mse"), np.ones(BINS, dtype=bool)).eval()


def dna(count: int, seed: int) -> torch.Tensor:
    letters = torch.randint(0, 4, (count, BINS * BIN), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(letters, 4).movedim(2, 1).float()


def test_one_strand_is_half_of_the_prediction_and_a_copy(net):
    one = net.one_strand()
    x = dna(2, 0)
    with torch.no_grad():
        assert torch.allclose((one(x) + one(x.flip(1, 2)).flip(2)) / 2, net(x), atol=1e-6)
        assert not torch.allclose(one(x), net(x), atol=1e-3)
    assert not one.receptive_field().both_ends
    assert net.receptive_field().both_ends
    assert not any(getattr(module, "inplace", False) for module in one.modules())
    assert any(getattr(module, "inplace", False) for module in net.modules())
    assert one.tower.blocks[0].layers[0].weight is not net.tower.blocks[0].layers[0].weight


def test_hooks_on_activations_see_them_before_they_change(net):
    one = net.one_strand()
    handles = [m.register_full_backward_hook(lambda *_: None) for m in one.modules() if isinstance(m, torch.nn.ReLU)]
    assert handles
    x = dna(1, 0).requires_grad_()
    one(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_deep_lift_of_tangermeme_sums_up(sums):
    deep_lift = pytest.importorskip("tangermeme.deep_lift_shap")
    x, references = dna(2, 0), dna(6, 1).reshape(2, 3, 4, -1)
    found = deep_lift.deep_lift_shap(
        sums, x, target=0, references=references, device="cpu", hypothetical=False, warning_threshold=1e-3
    )
    with torch.no_grad():
        change = sums(x)[:, 0] - sums(references.flatten(0, 1))[:, 0].reshape(2, 3).mean(dim=1)
    assert torch.allclose(found.sum(dim=(1, 2)), change, atol=1e-3)
    assert change.abs().min() > 0.01


def test_saturation_mutagenesis_of_tangermeme_is_ours(sums):
    saturation = pytest.importorskip("tangermeme.saturation_mutagenesis")
    from multiunet.domains.genome.mutagenesis.patches import PatchedTower

    x = dna(1, 0)
    result = saturation.saturation_mutagenesis(sums, x, start=90, end=93, raw_outputs=True, device="cpu")
    net = sums.net
    for letter in range(4):
        places = torch.arange(90, 93)
        with torch.no_grad():
            features = PatchedTower(net.tower, x).mutate(places, torch.full((3,), letter))
            mine = net.unet(features)[..., :BINS].sum(dim=2)[:, 0]
        assert torch.allclose(result.y_hat[0, letter, :, 0], mine, atol=1e-4)
    assert torch.allclose(result.y0, sums(x), atol=1e-4)
