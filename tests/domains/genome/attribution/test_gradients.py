import sys

import numpy as np
import pytest
import torch

from multiunet.domains.genome.attribution.gradients import Gradients, TrackSums, import_captum
from multiunet.domains.genome.panels import Panel
from multiunet.domains.genome.sequence import one_hot, reverse_complement
from multiunet.domains.model import Model
from multiunet.errors import InputError
from multiunet.models.genomic import genomic_unet
from multiunet.tasks import Regression

CPU = torch.device("cpu")
BINS, BIN = 32, 8


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    net = genomic_unet(4, BIN, channels=[6, 8], stem=6, motif=7, dropout=0.3, strand_pair=[1, 0, 3, 2])
    net.train()
    net(torch.nn.functional.one_hot(torch.randint(0, 4, (4, BIN * 32)), 4).movedim(2, 1).float())
    return Model(net.eval(), Regression(["fwd", "rev"], "beta-nll", [2.0, 2.0], [3.0, 3.0]), net.unet.geometry)


@pytest.fixture(scope="module")
def panel() -> Panel:
    codes = np.random.default_rng(1).integers(0, 4, BINS * BIN).astype(np.uint8)
    codes[120] = 4
    return Panel(0, codes, np.arange(BINS) % 31 > 3, np.arange(100, 140))


def test_input_x_gradient_is_the_gradient_less_its_mean(model, panel):
    pytest.importorskip("captum")
    (found,) = Gradients(model, CPU, "input-x-gradient", samples=1).attribute(panel, 1)
    x = torch.from_numpy(one_hot(panel.codes))[None].requires_grad_()
    sums = TrackSums(model.net, model.task, panel.counted)(x)
    sums[0, 1].backward()
    gradient = x.grad[0][:, panel.places].numpy()
    assert np.allclose(found.hypothetical, gradient - gradient.mean(axis=0), atol=1e-5)
    assert found.prediction == pytest.approx(float(sums[0, 1].detach()), rel=1e-6)


def test_integrated_gradients_sum_up_to_the_difference_from_a_blank_region(model, panel):
    pytest.importorskip("captum")
    (found,) = Gradients(model, CPU, "integrated-gradients", 400, samples=1).attribute(panel, 0)
    codes = panel.codes[panel.places]
    known = codes < 4
    total = found.hypothetical[np.where(known, codes, 0), np.arange(len(codes))][known].sum()
    change = found.prediction - found.blank
    assert abs(change) > 0.01
    assert total == pytest.approx(change, abs=0.01 * abs(change) + 1e-3)
    assert np.allclose(found.hypothetical.mean(axis=0), 0, atol=1e-6)


def test_the_other_strand_has_the_same_contributions(model, panel):
    pytest.importorskip("captum")
    length = len(panel.codes)
    turned = Panel(0, reverse_complement(panel.codes), panel.counted[::-1].copy(), length - 1 - panel.places[::-1])
    gradients = Gradients(model, CPU, "integrated-gradients", 8, samples=2)
    for track, pair in ((0, 1), (1, 0)):
        given, other = list(gradients.attribute(panel, track)), list(gradients.attribute(turned, pair))
        for one, two in zip(given, other, strict=True):
            assert np.allclose(one.hypothetical, two.hypothetical[::-1, ::-1], atol=1e-5)
    assert not np.allclose(given[0].hypothetical, given[1].hypothetical)  # each sample has its own network


def test_without_captum_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(InputError, match=r"pip install 'multiunet\[attribution\]'"):
        import_captum()
