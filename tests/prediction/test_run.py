"""Tiled prediction equals whole prediction, Monte-Carlo variances included."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from multiunet import Grid, GridPredictor, GridSource, Regression, Segmentation, UNet, predict_field, receptive_field
from multiunet.geometries import AveragePool, Conv, Down, MaxPool, PixelShuffle, Resize, StridedConv, Transposed, Up
from multiunet.prediction import PredictionStore, open_prediction
from multiunet.prediction.run import warn_of_inexact_tiles
from multiunet.prediction.tiles import batches, chunks_of, core_sides, mirrored, tiles
from multiunet.tasks import Task
from multiunet.uncertainty import ClassCalibration, dropouts

SHAPES = {1: (301,), 2: (93, 70), 3: (40, 37, 33)}
CPU = torch.device("cpu")


def source(image: np.ndarray) -> GridSource:
    def read(start, stop) -> np.ndarray:
        assert all(0 <= a < b <= n for a, b, n in zip(start, stop, image.shape[1:])), "reads lie inside the input"
        return image[(slice(None), *map(slice, start, stop))]

    return GridSource("x", image.shape[1:], read, ("z", "y", "x")[3 - image.ndim + 1 :])


def network(ndim: int, out_channels: int, **options) -> nn.Module:
    decoder = Grid(ndim, block=Conv(convs=1, dropout=0.4), **options)
    net = UNet(Grid(ndim, block=Conv(convs=1), **options), 1, out_channels, [4, 6, 8], decoder=decoder)
    for module in net.modules():  # statistics as after training, so that the norm does something
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return net.eval()


def assert_same(one, two) -> None:
    for name in ("mean", "epistemic", "aleatoric", "total"):
        expected = getattr(two, name)
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(getattr(one, name), expected, rtol=0, atol=1e-5 * scale)


TASKS: list[tuple[Task, int]] = [(Segmentation(["a", "b", "c"]), 3), (Regression(["t"]), 2)]


@pytest.mark.parametrize("margin", [0, 8, 13])
@pytest.mark.parametrize(("task", "out_channels"), TASKS, ids=["segmentation", "regression"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_tiled_equals_whole(ndim: int, task: Task, out_channels: int, margin: int) -> None:
    check_tiled_equals_whole(ndim, task, out_channels, margin)


@pytest.mark.parametrize(("kind", "margin"), [(0, 13), (1, 8)], ids=["segmentation", "regression"])
def test_tiled_equals_whole_of_volumes(kind: int, margin: int) -> None:
    check_tiled_equals_whole(3, *TASKS[kind], margin)


def check_tiled_equals_whole(ndim: int, task: Task, out_channels: int, margin: int) -> None:
    net = network(ndim, out_channels)
    image = np.random.default_rng(0).normal(size=(1, *SHAPES[ndim])).astype(np.float32)
    tiled = GridPredictor(net, task, Grid(ndim), CPU, margin=margin, tile=16)
    one = GridPredictor(net, task, Grid(ndim), CPU, margin=margin, tile=10_000)
    assert len(tiled.plan(SHAPES[ndim])) > 4 ** (ndim > 1)
    assert len(one.plan(SHAPES[ndim])) == 1
    found = tiled.whole(source(image), samples=3, seed=1)
    assert found.epistemic.mean() > 1e-4, "the samples differ"
    assert_same(found, one.whole(source(image), samples=3, seed=1))


@pytest.mark.parametrize("up", [Resize("linear"), Transposed(), PixelShuffle()], ids=repr)
@pytest.mark.parametrize("down", [AveragePool(), StridedConv()], ids=repr)
def test_tiled_equals_whole_for_every_operator(down: Down, up: Up) -> None:
    net = network(2, 3, down=down, up=up)
    image = np.random.default_rng(0).normal(size=(1, *SHAPES[2])).astype(np.float32)
    whole, tiled = (GridPredictor(net, TASKS[0][0], Grid(2), CPU, tile=size) for size in (1000, 20))
    assert_same(tiled.whole(source(image), samples=2), whole.whole(source(image), samples=2))


def test_whole_is_the_network_on_the_mirrored_image() -> None:
    net, (task, _) = network(2, 3), TASKS[0]
    image = np.random.default_rng(0).normal(size=(1, 30, 41)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (9, 9), (9, 9)), mode="reflect")
    expected = predict_field(net, task, Grid(2), torch.from_numpy(padded)[None]).mean[0, :, 9:-9, 9:-9]
    found = GridPredictor(net, task, Grid(2), CPU, margin=9).whole(source(image)).mean
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_halo_covers_the_receptive_field_by_gradients() -> None:
    """Second derivation: which input sites have a gradient on an output site."""
    downs, ups = (MaxPool(), AveragePool(), StridedConv()), (Resize(), Resize("linear"), Transposed())
    for down, up in itertools.product(downs, ups):
        net = UNet(Grid(1, down=down, up=up, normalization="none"), 1, 1, [8, 8, 8]).double()
        halo = receptive_field(net).radius[0]
        reached = []
        for site in range(2 * halo, 2 * halo + 4):
            x = torch.randn(8, 1, 4 * halo + 4, dtype=torch.double, requires_grad=True)
            net(x)[..., site].sum().backward()
            seen = x.grad.abs().sum((0, 1)).nonzero()
            reached += [site - int(seen.min()), int(seen.max()) - site]
        assert 0.8 * halo <= max(reached) <= halo


def test_mirror_reads_what_numpy_pads() -> None:
    image = np.arange(2 * 5 * 1 * 4).reshape(2, 5, 1, 4)
    read = lambda start, stop: image[(slice(None), *map(slice, start, stop))]  # noqa: E731
    expected = np.pad(image, ((0, 0), (7, 9), (2, 2), (0, 3)), mode="reflect")
    np.testing.assert_array_equal(mirrored(read, (5, 1, 4), (-7, -2, 0), (14, 3, 7)), expected)
    np.testing.assert_array_equal(mirrored(read, (5, 1, 4), (-7, -2, 0), (-5, 3, 7)), expected[:, :2])


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 64, 100])
@pytest.mark.parametrize("core", [1, 7, 16, 50, 1000])
def test_tiles_partition_the_output_and_fit_their_reads(size: int, core: int) -> None:
    seen = receptive_field(network(1, 2))
    covered = np.zeros(size, int)
    for tile in tiles((size,), seen, ((5, 5),), (core,)):
        assert (tile.start[0] + 5) % seen.tile_stride[0] == 0
        assert tile.start[0] >= -5
        assert tile.stop[0] <= size + 5
        assert tile.out[0].stop - tile.out[0].start == tile.keep[0].stop - tile.keep[0].start
        covered[tile.out[0]] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("shape", [(5000,), (1500, 300), (500, 600), (60, 130, 100)])
@pytest.mark.parametrize("sites", [3_000, 300_000, 10**9])
def test_cores_are_those_that_read_least_in_all(shape: tuple[int, ...], sites: int) -> None:
    seen = receptive_field(network(len(shape), 2))

    @cache
    def reads(n: int, k: int, halo: int) -> tuple[int, Fraction]:
        """Sites of the largest of ``k`` equal tiles of an axis, and of all, as far as the input goes."""
        ends = [Fraction(n * i, k) for i in range(k + 1)]
        each = [min(Fraction(n), b + halo) - max(Fraction(0), a - halo) for a, b in itertools.pairwise(ends)]
        return math.ceil(max(each)), sum(each, Fraction(0))

    most = [max(1, n // max(h, s)) for n, h, s in zip(shape, seen.radius, seen.tile_stride)]
    fitting = {}
    for counts in itertools.product(*(range(1, k + 1) for k in most)):
        by_axis = [reads(*axis) for axis in zip(shape, counts, seen.radius)]
        if math.prod(largest for largest, _ in by_axis) <= sites:
            fitting[counts] = math.prod(every for _, every in by_axis)
    least = min(fitting.values(), default=None)
    sides = core_sides(shape, seen, ((0, 0),) * len(shape), sites)
    counts = tuple(-(-n // side) for n, side in zip(shape, sides))
    if least is None:  # not even cores of the halo's size fit: no smaller ones
        assert all(side >= halo for side, halo in zip(sides, seen.radius))
    else:
        assert fitting[counts] == least


@pytest.mark.parametrize("margin", [0, 13])
@pytest.mark.parametrize("core", [40, 1500, 3000])
def test_tiles_hold_whole_chunks(core: int, margin: int) -> None:
    plan = tiles((4000, 2500), receptive_field(network(2, 2)), ((margin, 5),) * 2, (core, core))
    chunks = chunks_of(plan)
    assert max(chunks) <= 1024
    assert all(out.start % chunk == 0 for tile in plan for out, chunk in zip(tile.out, chunks))


@pytest.mark.parametrize("samples", [1, 3])
def test_several_tiles_a_forward_are_each_alone(samples: int) -> None:
    net, (task, _) = network(2, 3), TASKS[0]
    image = np.random.default_rng(0).normal(size=(1, 150, 130)).astype(np.float32)
    one, four = (GridPredictor(net, task, Grid(2), CPU, tile=16, batch=count) for count in (1, 4))
    assert max(map(len, batches(four.plan((150, 130)), 4))) == 4
    seen: dict[int, list] = {1: [], 4: []}
    for predictor in (one, four):
        watch = lambda t, region, mean, into=seen[predictor.batch]: into.append((t, region, float(mean.sum())))  # noqa: E731
        parts = predictor.pieces(source(image), samples, watch=watch)
        assert sum(part.mean[0].numel() for _, part in parts) == 150 * 130
    assert_same(four.whole(source(image), samples, seed=2), one.whole(source(image), samples, seed=2))
    for (t, shape, total), (other_t, other_shape, other) in zip(sorted(seen[1]), sorted(seen[4])):
        assert (t, shape) == (other_t, other_shape)
        assert total == pytest.approx(other, rel=1e-4)


def test_sampling_moves_no_buffer_and_leaves_the_network_as_it_was() -> None:
    net = network(2, 3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    predict_field(net.train(), TASKS[0][0], Grid(2), torch.randn(1, 1, 20, 20), samples=4)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(layer.key is None for layer in dropouts(net))


def test_encoding_once_equals_encoding_each_time() -> None:
    net = network(2, 3)
    x = torch.randn(1, 1, 20, 20)
    once = predict_field(net, TASKS[0][0], Grid(2), x, samples=4)
    net.prefix = lambda: [net]  # claims that dropout may be anywhere
    assert_same(predict_field(net, TASKS[0][0], Grid(2), x, samples=4), once)


def test_samples_of_a_network_without_dropout_are_refused() -> None:
    net = UNet(Grid(1), 1, 2, [2, 3])
    with pytest.raises(ValueError, match="without dropout"):
        predict_field(net, Segmentation(["a", "b"]), Grid(1), torch.randn(1, 1, 9), samples=2)


def test_tiles_that_only_approximate_the_whole_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    for normalization, words in (("batch", ""), ("group", "tiles only approximate the prediction of the whole")):
        grid = Grid(1, block=Conv(convs=1), normalization=normalization)
        predictor = GridPredictor(UNet(grid, 1, 1, [4, 8]).eval(), Regression(["y"]), grid, CPU, tile=32)
        caplog.clear()
        warn_of_inexact_tiles.cache_clear()  # another test may have been warned
        assert len(predictor.plan((20,))) == 1
        assert caplog.text == ""
        assert len(predictor.plan((200,))) > 1
        assert words in caplog.text
        assert bool(caplog.text) == bool(words)


def test_class_maps_and_samples_are_decided_by_thresholds(tmp_path) -> None:
    net, task = network(2, 2), Segmentation(["a", "b"])
    image = np.random.default_rng(0).normal(size=(1, 40, 37)).astype(np.float32)
    fractions = []
    for threshold in (1.0, 0.25):
        calibration = ClassCalibration(1.0, thresholds={"b": threshold})
        with PredictionStore(tmp_path / f"{threshold}.zarr") as store:
            GridPredictor(net, task, Grid(2), CPU, tile=16, calibration=calibration).into(store, source(image), 2)
        data = open_prediction(tmp_path / f"{threshold}.zarr")["x"]
        a, b = data["mean"].values
        np.testing.assert_array_equal(data["class"].values, (b / threshold > a).astype(int))
        fractions.append(data["fraction"].values[:, 1])
    assert (fractions[1] > fractions[0]).all()
