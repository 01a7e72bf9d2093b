"""Mirrored views: their mean turns with the image, and as samples they are the mixture of views written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from multiunet import Grid, receptive_field
from multiunet.domains import inference, training
from multiunet.domains.image.prediction.flips import FlipAveraged, make_views
from multiunet.domains.image.prediction.predictor import Views, make_predictor
from multiunet.domains.model import Model
from multiunet.errors import InputError
from multiunet.models.image_unet import image_unet
from multiunet.prediction import Ensemble, GridPredictor, GridSource, open_prediction, predict_field
from multiunet.progress import Progress
from multiunet.tasks import Segmentation
from multiunet.uncertainty import mc_dropout_sample

CLASSES = Segmentation(["a", "b", "c"])
SMALL: dict[str, Any] = {"widths": [4, 8], "patch_size": [16], "epochs": 1, "steps_per_epoch": 2}


def make_net(ndim: int = 2, dropout: float = 0.4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return image_unet(ndim, 1, 3, [4, 8, 8], dropout=dropout).eval()


def predictor(net: nn.Module, views: Views, tile: int | None = None) -> GridPredictor:
    found = make_predictor(Model(net, CLASSES, Grid(2)), views, torch.device("cpu"), "32")
    return GridPredictor(found.net, CLASSES, Grid(2), torch.device("cpu"), tile=tile)


@pytest.mark.parametrize("shape", [(1, 1, 33, 21), (1, 1, 9, 14, 11)])
@torch.no_grad()
def test_the_mean_over_flips_turns_with_the_image(shape: tuple[int, ...]) -> None:
    ndim = len(shape) - 2
    net = FlipAveraged(make_net(ndim, 0.0), ndim).eval()
    x, even = torch.randn(shape), torch.randn((1, 1, *(16,) * ndim))
    assert net(x).shape == (1, 3, *shape[2:])
    plain = [net.net(even.flip(view.axes)).flip(view.axes) for view in net.views]
    torch.testing.assert_close(net(even), sum(plain) / len(plain))
    for image in (even, x):  # x is no multiple of the stride
        for axis in range(2, 2 + ndim):
            torch.testing.assert_close(net(image.flip(axis)).flip(axis), net(image))
    assert len(net.views) == 2**ndim


@torch.no_grad()
def test_views_as_samples_are_the_even_mixture_of_all_views_of_all_samples() -> None:
    net, x = make_net(), torch.randn(1, 1, 16, 24)  # multiples of the stride: views are not filled up
    found = predict_field(predictor(net, "samples").net, CLASSES, Grid(2), x, samples=3, seed=5)
    ps = []
    for count in range(3):
        for axes in itertools.combinations((2, 3), count):
            for t in range(3):
                with mc_dropout_sample(net, 5, t):
                    ps.append(net(x.flip(axes)).flip(axes).softmax(dim=1))
    p = torch.stack(ps)
    assert len(p) == 12
    torch.testing.assert_close(found.mean, p.mean(dim=0))
    torch.testing.assert_close(found.epistemic, p.var(dim=0, correction=0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.aleatoric, (p * (1 - p)).mean(dim=0))


@torch.no_grad()
def test_without_dropout_views_alone_disagree_and_their_mean_turns_with_the_image() -> None:
    x = torch.randn(1, 1, 33, 21)
    net = predictor(make_net(dropout=0.0), "samples").net
    found, turned = (predict_field(net, CLASSES, Grid(2), image) for image in (x, x.flip(3)))
    assert float(found.epistemic.mean()) > 1e-6
    for name in ("mean", "epistemic", "aleatoric"):
        torch.testing.assert_close(getattr(turned, name).flip(3), getattr(found, name))


@pytest.mark.parametrize("views", ["averaged", "samples"])
@pytest.mark.parametrize("count", [1, 2])
def test_tiles_of_mirrored_views_are_those_of_the_whole(views: Views, count: int) -> None:
    nets = [make_net(seed=seed) for seed in range(count)]
    net = nets[0] if count == 1 else Ensemble(nets, [CLASSES] * count)
    image = np.random.default_rng(0).normal(size=(1, 71, 90)).astype(np.float32)
    source = GridSource("a", (71, 90), lambda a, b: image[:, a[0] : b[0], a[1] : b[1]], ("y", "x"))
    whole, tiled = (predictor(net, views, tile).whole(source, samples=2) for tile in (None, 16))
    for name in ("mean", "epistemic", "aleatoric"):
        torch.testing.assert_close(getattr(tiled, name), getattr(whole, name), atol=1e-5, rtol=1e-4)
    assert whole.epistemic.max() > 0


def test_each_view_reads_as_far_and_is_tiled_as_the_others() -> None:
    net = make_net()
    views = make_views(net, 2)  # type: ignore[arg-type]
    assert {receptive_field(view) for view in views} == {receptive_field(FlipAveraged(net, 2))}  # type: ignore[arg-type]
    assert [view.axes for view in views] == [(), (2,), (3,), (2, 3)]


@pytest.fixture
def run(folder: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Train a small run on made images."""

    def make(**settings: Any) -> Path:
        root = folder(5, shape=(26, 30))
        config = {"images": root / "images", "masks": root / "masks", **SMALL, **settings}
        training.train("image", config, tmp_path / "run", progress=Progress())
        return tmp_path / "run"

    return make


def test_a_run_without_dropout_has_the_views_for_samples(run: Callable[..., Path], tmp_path: Path) -> None:
    path = run(dropout=0)
    options = {"images": tmp_path / "images", "samples": 1}
    for name, given in (("mean", {}), ("apart", {"views_as_samples": True})):
        inference.predict(path, options | given, tmp_path / f"{name}.zarr", progress=Progress())
    mean, apart = (open_prediction(tmp_path / f"{name}.zarr")["s0"].load() for name in ("mean", "apart"))
    assert float(mean["epistemic"].max()) == 0.0
    assert float(apart["epistemic"].max()) > 0.0
    np.testing.assert_array_equal(apart["total"], apart["epistemic"] + apart["aleatoric"])
    assert (mean.sizes["sample"], apart.sizes["sample"]) == (1, 4)
    scores = [inference.evaluate(path, {"samples": 1, "views_as_samples": apart}) for apart in (False, True)]
    assert scores[0].metrics["nll"] != scores[1].metrics["nll"]


def test_a_network_that_never_saw_mirrored_images_has_no_views(run: Callable[..., Path], tmp_path: Path) -> None:
    path = run(flip=False)
    options = {"images": tmp_path / "images", "views_as_samples": True}
    with pytest.raises(InputError, match="`views_as_samples`: the run was trained with `flip=false`"):
        inference.check_predict(path, options, tmp_path / "p.zarr")
    with pytest.raises(InputError, match="`views_as_samples`: the run was trained with `flip=false`"):
        inference.evaluate(path, {"views_as_samples": True})
    with pytest.raises(InputError, match="`views_as_samples` and `tta_flips` say different things"):
        inference.check_predict(path, options | {"tta_flips": True}, tmp_path / "p.zarr")
