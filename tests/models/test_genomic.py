import numpy as np
import pytest
import torch

from multiunet.core import Condition, UNet
from multiunet.geometries import (
    AveragePool,
    Conv,
    InTurn,
    MaxPool,
    Relative,
    Resize,
    Rotary,
    StridedConv,
    Transformer,
    Window,
)
from multiunet.geometries.grid.grid import Grid
from multiunet.models.genomic import GenomicUNet, Tower, genomic_unet, one_hot, tower_strides, turn
from multiunet.prediction import GridPredictor, GridSource
from multiunet.tasks import Regression
from multiunet.uncertainty import dropouts


def dna(bases: int, samples: int = 1, seed: int = 0) -> torch.Tensor:
    letters = torch.randint(0, 4, (samples, bases), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(letters, 4).movedim(2, 1).float()


def small(bin_size: int = 6, out_channels: int = 2, **options) -> GenomicUNet:
    torch.manual_seed(0)
    return genomic_unet(out_channels, bin_size, channels=[6, 8, 10], stem=5, motif=7, **options)


def with_history(net: GenomicUNet) -> GenomicUNet:
    """After a few steps' worth of batch statistics, as a trained net has them."""
    net.train()
    for seed in range(3):
        net(dna(net.bin_size * 24, samples=4, seed=seed))
    return net.eval()


@pytest.mark.parametrize("bin_size", [1, 2, 7, 10, 97, 128, 1000])
def test_strides_multiply_to_the_bin_size(bin_size):
    strides = tower_strides(bin_size)
    assert np.prod(strides, dtype=int) == bin_size
    assert all(s <= 8 or all(s % p for p in range(2, s)) for s in strides)


@pytest.mark.parametrize(("bin_size", "bins"), [(1, 19), (2, 13), (7, 1), (10, 8), (97, 3), (128, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_one_output_a_bin_at_any_length(bin_size, bins, training):
    net = small(bin_size, out_channels=3).train(training)
    assert net.bin_size == bin_size
    assert net(dna(bin_size * bins, samples=2)).shape == (2, 3, bins)


@pytest.mark.parametrize("length", [0, 5, 13])
def test_half_bins_are_refused(length):
    with pytest.raises(ValueError, match="multiple of the bin size 6"):
        small()(dna(length))


def test_every_parameter_learns():
    net = small(bin_size=10)
    net(dna(10 * 23, samples=2)).square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("down", [AveragePool(), MaxPool(), StridedConv(kernel=5)], ids=repr)
@pytest.mark.parametrize("bin_size", [1, 6, 35])
def test_halo_covers_the_receptive_field(down, bin_size):
    torch.manual_seed(1)
    grid = Grid(1, block=Conv(kernel=5, convs=1), down=down, up=Resize("linear"), activation="gelu")
    strides = tower_strides(bin_size)
    tower = Tower(Grid(1, block=Conv(kernel=9, convs=1)), grid, [4] * max(1, len(strides)), strides)
    net = with_history(GenomicUNet(tower, UNet(grid, 4, 2, [4, 5, 6]))).double()
    seen = net.receptive_field()
    (halo,), (stride,) = seen.radius, seen.tile_stride
    assert seen.output_stride == (bin_size,)
    bins = 2 * (halo // bin_size) + 12
    furthest = 0
    for centre in range(bins // 2, bins // 2 + 4):
        reached = torch.zeros(bins * bin_size, dtype=torch.bool)
        for seed in range(3):
            x = dna(bins * bin_size, seed=seed).double().requires_grad_()
            net(x)[0, :, centre].sum().backward()
            reached |= x.grad[0].abs().sum(0) > 0
        where = torch.nonzero(reached)[:, 0]
        reach = max(centre * bin_size - int(where[0]), int(where[-1]) - ((centre + 1) * bin_size - 1))
        assert reach <= halo
        furthest = max(furthest, reach)
    assert furthest > halo / 2  # a halo of everything would cover, too
    assert stride % bin_size == 0


@pytest.mark.parametrize("bins", [1, 7, 31, 32, 45])
def test_prediction_commutes_with_the_reverse_complement_at_any_number_of_bins(bins):
    net = with_history(small(bin_size=6, out_channels=3, strand_pair=[1, 0, 2]))
    x = dna(6 * bins)
    assert torch.allclose(net(x.flip(1, 2)), net(x).flip(2)[:, [1, 0, 2]], atol=1e-6)
    net.train()
    assert not torch.allclose(net(x.flip(1, 2)), net(x).flip(2)[:, [1, 0, 2]], atol=1e-3)


def test_prediction_is_the_mean_over_strands():
    net = with_history(small(bin_size=6, out_channels=2, strand_pair=[1, 0]))
    x = dna(6 * 16)  # whole coarse sites, so that nothing is filled up
    one_strand = lambda y: net.unet(net.tower(y))  # noqa: E731
    expected = (one_strand(x) + one_strand(x.flip(1, 2)).flip(2)[:, [1, 0]]) / 2
    assert torch.allclose(net(x), expected, atol=1e-6)


@pytest.mark.parametrize("strand_pair", [[0, 1, 2], [1, 1], [2, 0], [0, -1]])
def test_strand_pair_that_do_not_pair_are_refused(strand_pair):
    with pytest.raises(ValueError, match="must pair the 2 output channels"):
        small(out_channels=2, strand_pair=strand_pair)


@pytest.mark.parametrize("bins", [5, 16])
def test_codes_give_what_one_hot_gives_on_both_strands_and_with_unknown_bases(bins):
    codes = torch.randint(0, 5, (2, 1, 6 * bins), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    hot = torch.nn.functional.one_hot(codes[:, 0].long(), 5)[..., :4].movedim(2, 1).float()
    assert torch.equal(one_hot(codes), hot)
    assert torch.equal(one_hot(turn(codes)), turn(hot))
    net = with_history(small(bin_size=6, out_channels=2, strand_pair=[1, 0], dropout=0.0))
    assert torch.allclose(net(codes), net(hot), atol=1e-6)
    net.train()
    assert torch.allclose(net(codes), net(hot), atol=1e-6)


def test_tower_and_unet_must_fit():
    with pytest.raises(ValueError, match="gives 4 channels, the U-Net takes 5"):
        GenomicUNet(Tower(Grid(1), Grid(1), [4], [2]), UNet(Grid(1), 5, 1, [4, 4]))
    with pytest.raises(ValueError, match="1 numbers of channels for 2 strides"):
        Tower(Grid(1), Grid(1), [4], [2, 5])


def test_encode_then_decode_is_forward_and_the_prefix_has_no_dropout():
    net = with_history(small(dropout=0.3))
    x = dna(6 * 11, samples=2)
    assert torch.equal(net.decode(net.encode(x)), net(x))
    assert not any(dropouts(module) for module in net.prefix())
    assert len(dropouts(net)) == 3  # bottleneck and two decoder levels


def test_batched_equals_one_at_a_time():
    net = with_history(small())
    x = dna(6 * 13, samples=3)
    assert torch.allclose(net(x), torch.cat([net(one[None]) for one in x]), atol=1e-6)


def test_a_condition_is_taken_along_for_both_strands():
    heard = []

    class Listening(torch.nn.Module):
        reach, reads_condition = (0,), ("embedding",)

        def forward(self, x, condition=None):
            heard.append(condition)
            return x

    net = small().eval()
    net.unet.bottleneck.blocks.append(Listening())
    net(dna(6 * 8, samples=2), Condition(embedding=torch.tensor([[1.0], [2.0]])))
    assert heard[0].embedding.flatten().tolist() == [1.0, 2.0, 1.0, 2.0]
    assert heard[0].tokens is None


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("bins", [61, 62, 64])
def test_tiles_equal_the_whole(samples, bins):
    net = with_history(genomic_unet(2, 5, channels=[6, 8], stem=5, motif=7, dropout=0.3))
    x = dna(5 * bins)[0].numpy()
    source = GridSource("chr", (5 * bins,), lambda start, stop: x[:, start[0] : stop[0]], ("bin",))
    predictor = GridPredictor(net, Regression(["signal"]), net.unet.geometry, torch.device("cpu"), tile=40)
    assert len(predictor.plan(source.shape)) > 3
    tiled = predictor.whole(source, samples)
    whole = GridPredictor(net, predictor.task, net.unet.geometry, torch.device("cpu"), tile=10**6).whole(
        source, samples
    )
    assert tiled.mean.shape == (1, bins)
    for name in ("mean", "epistemic", "aleatoric"):
        assert torch.allclose(getattr(tiled, name), getattr(whole, name), atol=1e-5)
    assert (whole.epistemic > 0).all() == (samples > 1)


BLOCKS = {
    "rotary": Transformer(heads=2, positions=Rotary()),
    "relative": Transformer(heads=2, positions=Relative(6)),
    "windows": InTurn(Window(4, heads=2), Window(4, heads=2, shifted=True)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_transformer_at_the_bottom_hears_both_strands_alike(name):
    net = with_history(small(bin_size=4, attention=[BLOCKS[name]], strand_pair=[1, 0]))
    x = dna(4 * 37)
    with torch.no_grad():
        given, reverse = net(x), net(x.flip(1, 2))
    torch.testing.assert_close(given, reverse.flip(2)[:, [1, 0]])
    net.train()(x).square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_a_windowed_bottom_tiles_exactly_and_a_full_one_says_that_it_does_not():
    net = with_history(small(bin_size=4, attention=[BLOCKS["windows"]]))
    seen = net.receptive_field()
    assert (seen.exact, seen.tile_stride) == (True, (4 * 16 * 4,))  # windows of 4 sites, 16 bins of 4 bases apart
    bases = 4 * 700
    x = dna(bases)[0].numpy()

    def read(start, stop):
        return x[:, start[0] : stop[0]]

    source = GridSource("x", (bases,), read, ("bin",))
    one, whole = (
        GridPredictor(net, Regression(["a"], "beta-nll"), Grid(1), torch.device("cpu"), tile=tile).whole(source)
        for tile in (256, None)
    )
    assert (one.mean - whole.mean).abs().max() < 1e-5
    full = small(bin_size=4, attention=[BLOCKS["rotary"]]).receptive_field()
    assert (full.exact, full.everywhere) == (False, (4 * 16,))


def test_no_more_levels_attend_than_there_are():
    with pytest.raises(ValueError, match="4 blocks are given for 3 levels"):
        small(attention=[BLOCKS["rotary"]] * 4)
