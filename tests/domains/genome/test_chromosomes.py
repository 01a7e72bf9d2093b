import numpy as np
import pytest
import torch

from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.sequence import one_hot, reverse_complement
from multiunet.models.genomic import genomic_unet
from multiunet.prediction import GridPredictor, PredictionStore, open_datasets, open_prediction
from multiunet.tasks import Regression

BIN, FLANK = 5, 8


def chromosomes(tile: int | None = None, levels: int = 2) -> Chromosomes:
    torch.manual_seed(0)
    channels = [6, 8, 8][:levels]
    net = genomic_unet(4, BIN, channels, stem=5, motif=7, dropout=0.3, strand_pair=[1, 0, 3, 2]).eval()
    return Chromosomes(
        GridPredictor(net, Regression(["+", "-"]), net.unet.geometry, torch.device("cpu"), tile=tile), BIN, FLANK
    )


def bases(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, size=count).astype(np.uint8)


def test_unknown_bases_are_read_beyond_the_ends():
    predict, codes = chromosomes(), bases(203)
    padded = np.full((FLANK + 41 + FLANK) * BIN, 4, dtype=np.uint8)
    padded[FLANK * BIN : FLANK * BIN + 203] = codes
    with torch.no_grad():
        output = predict.predictor.net(torch.from_numpy(one_hot(padded))[None])
    expected = predict.predictor.task.distribution(output)[0][0, :, FLANK:-FLANK]
    mean = predict.whole("chr", codes).mean
    assert mean.shape == (2, 41)  # the last bin has three bases
    assert torch.allclose(mean, expected, atol=1e-6)


@pytest.mark.parametrize("count", [3, 40, 203, 1000])
@pytest.mark.parametrize("samples", [1, 3])
def test_tiles_and_store_hold_what_the_whole_is(tmp_path, count, samples):
    codes = bases(count)
    whole = chromosomes().whole("chr/1", codes, samples, seed=4)
    tiled = chromosomes(tile=40).whole("chr/1", codes, samples, seed=4)
    with PredictionStore(tmp_path / "p.zarr") as store:
        chromosomes(tile=40).into(store, "chr/1", codes, tmp_path / "g.fa", samples, seed=4)
    (stored,) = open_datasets(tmp_path / "p.zarr").values()
    for part in ("mean", "epistemic", "aleatoric"):
        assert torch.allclose(getattr(tiled, part), getattr(whole, part), atol=1e-5)
        assert np.allclose(stored[part].values, getattr(whole, part).numpy(), atol=1e-5)
    assert (stored.attrs["chrom"], stored.attrs["length"]) == ("chr/1", count)
    assert stored["end"].values[-1] == count


def test_of_a_run_of_unknown_bases_nothing_is_said(tmp_path):
    codes = bases(203)
    codes[20:61] = 4  # bins 4 to 11, and a base of the next
    with PredictionStore(tmp_path / "p.zarr") as store:
        chromosomes(tile=40).into(store, "chr", codes, tmp_path / "g.fa", 2, seed=4)
    stored = open_prediction(tmp_path / "p.zarr")["chr"]
    for variable in ("mean", "epistemic", "aleatoric", "total"):
        assert np.flatnonzero(np.isnan(stored[variable].values[0])).tolist() == list(range(4, 12))


@pytest.mark.parametrize("bins", [1, 39, 40, 41, 42])
@pytest.mark.parametrize("tile", [None, 80])
def test_the_reverse_complement_gives_the_turned_prediction_with_its_strands_swapped(bins, tile):
    codes = bases(bins * BIN)
    predict = chromosomes(tile, levels=3)
    given, turned = (predict.whole("chr", c, samples=3, seed=1) for c in (codes, reverse_complement(codes)))
    for part in ("mean", "epistemic", "aleatoric"):
        assert torch.allclose(getattr(given, part), getattr(turned, part).flip(0, 1), rtol=1e-4, atol=1e-6)


def test_regions_see_what_the_whole_sees_on_both_strands(tmp_path):
    codes, predict = bases(401 * BIN), chromosomes(levels=3)
    chosen = np.zeros(401, dtype=bool)
    chosen[[0, 150, 151, 303, 400]] = True
    with PredictionStore(tmp_path / "p.zarr") as store:
        predict.into(store, "chr", codes, tmp_path / "g.fa", 1, 0, chosen=chosen)
    mean = open_prediction(tmp_path / "p.zarr")["chr"]["mean"].values
    assert np.flatnonzero(~np.isnan(mean[0])).tolist() == np.flatnonzero(chosen).tolist()
    assert np.allclose(mean[:, chosen], predict.whole("chr", codes).mean.numpy()[:, chosen], atol=1e-5)
