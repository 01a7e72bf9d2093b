from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from multiunet import Grid, Segmentation, UNet
from multiunet.core import Trail
from multiunet.domains.image.prediction.flips import FlipAveraged, make_views
from multiunet.domains.image.prediction.rescaled import Rescaled
from multiunet.geometries import Conv
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.memory import LiveTensors
from multiunet.models.genomic import genomic_unet
from multiunet.models.image_unet import image_unet
from multiunet.prediction import Ensemble, GridPredictor, predict_field
from multiunet.prediction.source import GridSource
from multiunet.uncertainty import mc_dropout_sample

TASK = Segmentation(["a", "b", "c"])


def trained(net: Any, *shape: int) -> Any:
    """The network with statistics of its norms."""
    torch.manual_seed(0)
    net.train()(torch.randn(4, *shape))
    return net.eval()


def small(ndim: int, **options: Any) -> UNet[Tensor]:
    return trained(image_unet(ndim, 1, 3, [4, 6, 8], dropout=0.2, **options), 1, *(16,) * ndim)


@torch.no_grad()
def sample_naively(net: nn.Module, field: Tensor, samples: int) -> list[Tensor]:
    """Full forward passes."""
    outputs = []
    for t in range(samples):
        with mc_dropout_sample(net, 0, t):
            outputs.append(net(field))
    return outputs


def moments_of(outputs: list[Tensor], task: Any) -> tuple[Tensor, Tensor, Tensor]:
    means, variances = zip(*[task.distribution(output) for output in outputs])
    stacked = torch.stack(means)
    return stacked.mean(0), stacked.var(0, correction=0), torch.stack(variances).mean(0)


NETS: dict[str, Callable[[], tuple[Any, Tensor]]] = {
    "1-D": lambda: (small(1), torch.randn(2, 1, 45)),
    "2-D": lambda: (small(2), torch.randn(2, 1, 33, 20)),
    "3-D": lambda: (small(3), torch.randn(2, 1, 9, 16, 14)),
    "fused": lambda: (fuse_layers(small(2)), torch.randn(2, 1, 33, 20)),
    "group norm, residual": lambda: (small(2, normalization="group", residual=True), torch.randn(2, 1, 33, 20)),
    "views": lambda: (FlipAveraged(small(2), 2).eval(), torch.randn(1, 1, 33, 20)),
    "one view": lambda: (make_views(small(2), 2)[3].eval(), torch.randn(1, 1, 33, 20)),
    "rescaled": lambda: (Rescaled(small(2), [2.0], [0.1], 2).eval(), torch.randn(1, 1, 33, 20)),
    "genome": lambda: (trained(genomic_unet(3, 10, [8, 8, 8]), 4, 640), torch.rand(2, 4, 330)),
}


@pytest.mark.parametrize("name", NETS)
def test_samples_are_those_of_full_forwards(name: str) -> None:
    net, field = NETS[name]()
    found: list[Tensor] = []
    moments = predict_field(net, TASK, Grid(1), field, 4, watch=lambda t, mean: found.append(mean.clone()))
    outputs = sample_naively(net, field, 4)
    for one, output in zip(found, outputs, strict=True):
        torch.testing.assert_close(one, TASK.distribution(output)[0], rtol=0, atol=1e-5)
    for one, other in zip((moments.mean, moments.epistemic, moments.aleatoric), moments_of(outputs, TASK)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_members_of_an_ensemble_share_each_a_trail_of_its_own() -> None:
    nets = [small(1), fuse_layers(small(1, residual=True))]
    field = torch.randn(1, 1, 40)
    found = predict_field(Ensemble(nets, [TASK, TASK]), TASK, Grid(1), field, 3)
    outputs = [output for net in nets for output in sample_naively(net, field, 3)]
    for one, other in zip((found.mean, found.epistemic, found.aleatoric), moments_of(outputs, TASK)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_tiles_share_what_the_whole_shares(bf16: bool) -> None:
    net, task = small(2), TASK
    image = torch.randn(1, 96, 80).numpy()
    source = GridSource("a", (96, 80), lambda a, b: image[:, a[0] : b[0], a[1] : b[1]], ("y", "x"))
    cpu = torch.device("cpu")
    tiled, whole = (
        GridPredictor(net, task, Grid(2), cpu, tile=tile, bf16=bf16).whole(source, samples=3) for tile in (24, 96)
    )
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        naive = moments_of(sample_naively(net, torch.from_numpy(image)[None], 3), task)
    for name, expected in zip(("mean", "epistemic", "aleatoric"), naive):
        ours, atol = getattr(whole, name), 0.02 if bf16 else 1e-5
        torch.testing.assert_close(getattr(tiled, name), ours, rtol=0, atol=atol)
        # in bf16, too, the sums are those of the forward pass, in its order
        torch.testing.assert_close(ours, expected[0].float(), rtol=0, atol=1e-5)


def count_flops(work: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    return counter.get_total_flops()


def test_samples_of_the_default_network_cost_less_than_half_of_full_forwards() -> None:
    net, field = image_unet(2, 1, 3).eval(), torch.randn(1, 1, 64, 64)
    naive = count_flops(lambda: sample_naively(net, field, 20))
    assert count_flops(lambda: predict_field(net, TASK, Grid(2), field, 20)) <= 0.48 * naive
    fused = fuse_layers(net)  # as predict has it
    assert count_flops(lambda: predict_field(fused, TASK, Grid(2), field, 20)) <= 0.36 * naive
    naive = count_flops(lambda: sample_naively(fused, field, 20))
    assert count_flops(lambda: predict_field(fused, TASK, Grid(2), field, 20)) <= 0.41 * naive


def measure_memory(net: nn.Module, ndim: int, field: Tensor) -> int:
    with LiveTensors() as alive:
        predict_field(net, TASK, Grid(ndim), field, 3)
    return alive.most


class Unshared(UNet[Tensor]):
    """A network that keeps its saved fields."""

    def share(self, trail: Trail[Tensor]) -> Trail[Tensor]:
        return trail


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_what_is_kept_takes_the_memory_of_what_it_stands_for(ndim: int) -> None:
    side = {1: 4096, 2: 64, 3: 32}[ndim]
    field, decoder = torch.randn(1, 1, *(side,) * ndim), Grid(ndim, Conv(dropout=0.1))
    ours, unshared = (kind(Grid(ndim), 1, 3, [8, 16, 32, 64], decoder=decoder).eval() for kind in (UNet, Unshared))
    before, wider = measure_memory(unshared, ndim, field), 4 * (64 - 32) * (side // 8) ** ndim
    # the bottleneck's output has more channels than what enters it
    assert measure_memory(ours, ndim, field) <= before + wider
    assert measure_memory(fuse_layers(ours), ndim, field) <= before
