"""Several networks as one: against the mixture written out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from multiunet_datasets import synthetic

from multiunet import Graph, Grid, UNet, receptive_field
from multiunet.core import Add
from multiunet.models.image_unet import image_unet
from multiunet.prediction import Ensemble, GridPredictor, GridSource, predict_field
from multiunet.tasks import Regression, Segmentation
from multiunet.uncertainty import mc_dropout_sample

CLASSES = Segmentation(["a", "b", "c"])


def members(count: int = 3, dropout: float = 0.4) -> list[UNet]:
    torch.manual_seed(0)
    return [image_unet(2, 1, 3, [4, 8], dropout=dropout).eval() for _ in range(count)]


@torch.no_grad()
def test_moments_are_those_of_the_mixture_of_all_samples_of_all_members() -> None:
    nets, x = members(), torch.randn(1, 1, 20, 24)
    found = predict_field(Ensemble(nets, [CLASSES] * 3), CLASSES, Grid(2), x, samples=4, seed=7)
    ps = []
    for net in nets:
        for t in range(4):
            with mc_dropout_sample(net, 7, t):
                ps.append(net(x).softmax(dim=1))
    p = torch.stack(ps)
    torch.testing.assert_close(found.mean, p.mean(dim=0))
    torch.testing.assert_close(found.epistemic, p.var(dim=0, correction=0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.aleatoric, (p * (1 - p)).mean(dim=0))


@torch.no_grad()
def test_members_disagree_without_dropout_too() -> None:
    nets, x = members(dropout=0.0), torch.randn(1, 1, 16, 16)
    found = predict_field(Ensemble(nets, [CLASSES] * 3), CLASSES, Grid(2), x)
    assert float(found.epistemic.mean()) > 1e-6
    alone = predict_field(Ensemble(nets[:1], [CLASSES]), CLASSES, Grid(2), x)
    torch.testing.assert_close(alone.mean, nets[0](x).softmax(dim=1))


@torch.no_grad()
def test_each_member_speaks_on_its_own_scale() -> None:
    torch.manual_seed(0)
    nets = [UNet(Graph(), 3, 1, [4, 4], skip=Add).eval() for _ in range(2)]
    tasks = [Regression(["y"], "mse", [10.0], [2.0]), Regression(["y"], "mse", [-5.0], [0.5])]
    field = Graph().example(3, seed=0)
    found = predict_field(Ensemble(nets, tasks), tasks[0], Graph(), field)
    one, two = 10 + 2 * nets[0](field).x, -5 + 0.5 * nets[1](field).x
    torch.testing.assert_close(found.mean, (one + two) / 2)
    torch.testing.assert_close(found.epistemic, ((one - two) / 2) ** 2)


def test_tiles_of_an_ensemble_equal_the_whole_and_suit_every_member() -> None:
    torch.manual_seed(0)
    nets = [image_unet(2, 1, 3, [4, 8], dropout=0.3), image_unet(2, 1, 3, [4, 6, 8], strides=[(3, 3), (2, 2)])]
    ensemble = Ensemble(nets, [CLASSES] * 2).eval()
    assert receptive_field(ensemble).tile_stride == (6, 6)
    assert receptive_field(ensemble).radius == tuple(
        map(max, receptive_field(nets[0]).radius, receptive_field(nets[1]).radius)
    )
    pixels = torch.randn(1, 1, 41, 50)
    source = GridSource("a", (41, 50), lambda a, b: pixels[0, :, a[0] : b[0], a[1] : b[1]].numpy(), ("y", "x"))
    tiled, whole = (
        GridPredictor(ensemble, CLASSES, Grid(2), torch.device("cpu"), tile=tile).whole(source, samples=3)
        for tile in (12, None)
    )
    for name in ("mean", "epistemic", "aleatoric"):
        torch.testing.assert_close(getattr(tiled, name), getattr(whole, name), rtol=0, atol=1e-5)


def test_members_must_name_alike() -> None:
    with pytest.raises(ValueError, match="differently"):
        Ensemble(members(2), [CLASSES, Segmentation(["a", "b", "x"])])
    with pytest.raises(ValueError, match="a task for each"):
        Ensemble(members(2), [CLASSES])


def test_runs_predict_and_are_scored_together(
    tmp_path: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.write_graph(tmp_path, nodes=60)
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        train = ["train", "graph", "--graph", "graph.npz", "--epochs", "3", "--seed", seed, "--out", f"r{seed}"]
        assert multiunet(*train).code == 0
    both = ["--run", "r0", "--run", "r1"]
    done = multiunet("predict", "graph", *both, "--samples", 2, "--out", "p.zarr")
    assert done.code == 0, done.err
    assert multiunet("evaluate", "graph", *both).code == 0
    other = ["train", "graph", "--graph", "graph.npz", "--epochs", "1", "--normalize-features", "none", "--out", "r2"]
    assert multiunet(*other).code == 0
    done = multiunet("predict", "graph", *both, "--run", "r2", "--out", "q.zarr")
    assert (done.code, "r2: cannot join r0" in done.err) == (3, True)
