"""Fast mutagenesis beside the naive one, which predicts each changed window whole."""

import numpy as np
import pytest
import torch

from multiunet.core import UNet
from multiunet.domains.genome.mutagenesis.patches import PatchedTower
from multiunet.domains.genome.mutagenesis.saturation import Saturation
from multiunet.domains.genome.sequence import one_hot
from multiunet.domains.model import Model
from multiunet.geometries import AveragePool, Conv, Grid, MaxPool, Resize, StridedConv
from multiunet.models.genomic import GenomicUNet, Tower, genomic_unet, tower_strides
from multiunet.prediction import Ensemble
from multiunet.prediction.field import predict_field
from multiunet.tasks import Regression


def make_model(bin_size: int, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    net = genomic_unet(2, bin_size, channels=[6, 8], stem=6, motif=7, dropout=0.3)
    net.train()
    net(torch.nn.functional.one_hot(torch.randint(0, 4, (4, bin_size * 16)), 4).movedim(2, 1).float())
    return Model(net.eval(), Regression(["signal"], "beta-nll", [3.0], [2.0]), net.unet.geometry)


def window(bases: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, bases).astype(np.uint8)


def naive(model: Model, codes, places, counted, samples: int) -> np.ndarray:
    def sums(one):
        kept = {}
        field = torch.from_numpy(one_hot(one))[None].to(next(model.net.parameters()))
        watch = lambda t, mean: kept.update({t: mean[0][:, counted].double().sum(1).numpy()})  # noqa: E731
        predict_field(model.net, model.task, model.geometry, field, samples, 0, watch)
        return np.stack([kept[t] for t in sorted(kept)])

    reference = sums(codes)
    found = np.zeros((*reference.shape, 4, len(places)))
    for column, place in enumerate(places):
        for letter in range(4):
            changed = codes.copy()
            changed[place] = letter
            found[:, :, letter, column] = sums(changed) - reference
    return found


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("bin_size", [1, 10, 24])
def test_it_equals_predicting_each_changed_window(bin_size, samples):
    model, codes = make_model(bin_size), window(21 * bin_size)
    counted = np.arange(21) % 9 > 1
    places = [0, 3, 9 * bin_size, 10 * bin_size - 1, 21 * bin_size - 2]
    expected = naive(model, codes, places, counted, samples)
    found = Saturation(model, torch.device("cpu"), counted, samples).changes(codes, places)
    assert found.shape == (samples, 1, 4, 5)
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(found, expected, atol=1e-5)
    assert (found[..., codes[places], np.arange(5)] == 0).all()


def test_in_64_bits_it_equals_predicting_each_to_their_rounding():
    model, codes, counted = make_model(24), window(21 * 24), np.arange(21) % 9 > 1
    model.net.double()
    expected = naive(model, codes, [3, 240], counted, 3)
    found = Saturation(model, torch.device("cpu"), counted, 3).changes(codes, [3, 240])
    assert np.abs(found - expected).max() < 1e-12


def test_runs_of_an_ensemble_have_samples_of_their_own():
    models, codes, counted = [make_model(8, seed) for seed in (0, 1)], window(8 * 15), np.ones(15, bool)
    ensemble = Ensemble([model.net for model in models], [model.task for model in models]).eval()
    joined = Saturation(Model(ensemble, models[0].task, models[0].geometry), torch.device("cpu"), counted, 2)
    found = joined.changes(codes, [50, 60])
    each = [Saturation(model, torch.device("cpu"), counted, 2).changes(codes, [50, 60]) for model in models]
    assert np.allclose(found, np.concatenate(each), atol=1e-6)


def test_unknown_bases_are_not_changed():
    model, codes = make_model(8), window(8 * 15)
    codes[50] = 4
    found = Saturation(model, torch.device("cpu"), np.ones(15, bool), 1).changes(codes, [49, 50])
    assert np.isnan(found[..., 1]).all()
    assert np.isfinite(found[..., 0]).all()


@pytest.mark.parametrize("down", [AveragePool(), MaxPool(), StridedConv(kernel=5)], ids=repr)
@pytest.mark.parametrize("bin_size", [1, 6, 35])
def test_a_patched_tower_reads_what_a_whole_one_reads(down, bin_size):
    torch.manual_seed(1)
    grid = Grid(1, block=Conv(kernel=5, convs=2), down=down, activation="gelu")
    strides = tower_strides(bin_size)
    tower = Tower(Grid(1, block=Conv(kernel=9, convs=1)), grid, [4] * max(1, len(strides)), strides).eval()
    x = torch.from_numpy(one_hot(window(bin_size * max(6, 240 // bin_size))))[None]
    places = torch.tensor([0, 1, 100, 101, 119, x.shape[2] - 1])
    letters = torch.tensor([0, 1, 2, 3, 0, 1])
    changed = x.repeat(6, 1, 1)
    changed[torch.arange(6), :, places] = torch.nn.functional.one_hot(letters, 4).float()
    with torch.no_grad():
        for part in (slice(2, 5), slice(None)):  # with and without bases near an end
            patched = PatchedTower(tower, x).mutate(places[part], letters[part])
            assert torch.allclose(patched, tower(changed[part]), atol=1e-5)


@pytest.mark.parametrize("bases", [600, 9000])  # shorter than what a frame reaches, and longer
def test_reading_frames_are_read_again_as_far_as_they_reach(bases):
    torch.manual_seed(0)
    tower = genomic_unet(2, 10, channels=[6, 8], stem=6, motif=7, reading_frames=True).tower.eval()
    codes = window(bases)
    codes[codes == 3] = 1  # few stops, so that frames are long
    codes[bases // 2 + 1 : bases // 2 + 3] = 0
    x = torch.from_numpy(one_hot(codes))[None]
    places, letters = torch.tensor([bases // 2, bases // 2 + 4]), torch.tensor([3, 0])  # the first makes a stop
    changed = x.repeat(2, 1, 1)
    changed[torch.arange(2), :, places] = torch.nn.functional.one_hot(letters, 4).float()
    with torch.no_grad():
        patched, expected = PatchedTower(tower, x).mutate(places, letters), tower(changed)
    assert torch.allclose(patched, expected, atol=1e-5)
    reached = (expected[0] - tower(x)[0]).abs().amax(dim=0) > 1e-4
    assert reached.sum() > 20


def test_norms_over_all_sites_are_computed_whole():
    torch.manual_seed(0)
    group = Grid(1, block=Conv(kernel=5, convs=1), down=AveragePool(), normalization="group")
    bins = Grid(1, block=Conv(convs=1), up=Resize("linear"))
    net = GenomicUNet(Tower(group, group, [8, 8], [4, 2]), UNet(bins, 8, 2, [6, 8])).eval()
    model, codes, counted = Model(net, Regression(["signal"]), bins), window(8 * 15), np.ones(15, bool)
    found = Saturation(model, torch.device("cpu"), counted, 1).changes(codes, [50, 60])
    assert np.allclose(found, naive(model, codes, [50, 60], counted, 1), atol=1e-5)
