from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet.geometries.grid.grid import Grid
from multiunet.models.image_unet import image_unet
from multiunet.models.nnunet_plain import nnunet_plain
from multiunet.models.patch_gan import patch_gan
from multiunet.tasks import Opponent, Regression, Segmentation
from multiunet.training import step_memory
from multiunet.training.data import Sample

TASK = Segmentation(["a", "b"])


def hollow(*shape: int) -> Sample[Tensor]:
    labels = (shape[0], *shape[2:])
    return Sample(torch.empty(shape, device="meta"), torch.empty(labels, dtype=torch.int64, device="meta"))


def needs(net: nn.Module, *shape: int, bf16: bool = False, cpu: bool = False) -> int:
    """Without what does not depend on network and batch."""
    geometry = Grid(len(shape) - 2)
    return (
        step_memory.step_memory(net, TASK, geometry, hollow(*shape), bf16=bf16, copies=0, cpu=cpu)
        - step_memory.LIBRARY_MEMORY
    )


def test_tensors_of_one_convolution_are_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_memory, "LOST_BLOCKS", 0)
    side, wide = 512, 64
    net = nn.Sequential(nn.Conv2d(1, wide, 3, padding=1, bias=False), nn.Conv2d(wide, 2, 1, bias=False))
    field = 4 * wide * side**2
    # the wide field and its gradient at once, when the second convolution has gone backward; the rest is thin
    assert needs(net, 1, 1, side, side) == pytest.approx(2 * field, rel=0.2)


def test_the_network_is_left_as_it_is() -> None:
    net = image_unet(2, 1, 2, [4, 8]).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    needs(net, 2, 1, 16, 16)
    assert not net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert net(torch.zeros(1, 1, 16, 16)).shape == (1, 2, 16, 16)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_twice_the_batch_takes_twice_the_memory_and_half_the_numbers_less() -> None:
    net = image_unet(2, 1, 2, [8, 8, 8])
    once, twice = (needs(net, n, 1, 128, 128) for n in (4, 8))
    assert twice == pytest.approx(2 * once, rel=0.02)
    assert 0.4 * twice < needs(net, 8, 1, 128, 128, bf16=True) < 0.7 * twice


def test_recomputation_saves_what_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_memory, "LOST_BLOCKS", 0)
    plain, again = (image_unet(2, 1, 2, [8, 8, 8], gradient_checkpointing=recompute) for recompute in (False, True))
    assert needs(again, 4, 1, 128, 128) < 0.6 * needs(plain, 4, 1, 128, 128)


def test_copies_of_the_parameters_and_deep_supervision() -> None:
    net, batch = nnunet_plain(2, 1, 2, [8, 8, 8, 8]), hollow(1, 1, 32, 32)
    none, three = (step_memory.step_memory(net, TASK, Grid(2), batch, bf16=False, copies=n, cpu=True) for n in (0, 3))
    assert net.deep_supervision == 1
    assert three - none == 3 * 4 * sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("loss", ["beta-nll", "gaussian-nll", "mse", "mae", "huber", "poisson"])
def test_losses_that_hold_numbers_and_look_at_the_data(loss: Any) -> None:
    task = Regression(["height"], loss, [2.0], [3.0])
    fields = (torch.empty(2, channels, 32, 32, device="meta") for channels in (1, 1))
    net = image_unet(2, 1, task.channels, [4, 8])
    assert (
        step_memory.step_memory(net, task, Grid(2), Sample(*fields), bf16=False, copies=0, cpu=True)
        > step_memory.LIBRARY_MEMORY
    )


def test_a_single_small_volume_is_unfolded_on_the_cpu() -> None:
    net = nn.Sequential(nn.Conv3d(4, 2, 3, padding=1, bias=False))
    unfolded = 4 * 4 * 27 * 16 * 64 * 64
    assert needs(net, 1, 4, 16, 64, 64, cpu=True) > unfolded > needs(net, 1, 4, 16, 64, 64, cpu=False)


def test_tensors_of_the_task_and_weights_of_sites_are_no_hindrance() -> None:
    net, batch = image_unet(2, 1, 2, [4, 8]), hollow(2, 1, 32, 32)
    quantities = Sample(batch.field, torch.empty(2, 1, 32, 32, device="meta"))
    weighted = Sample(batch.field, batch.target, torch.empty(2, 32, 32, device="meta"))
    tasks = (Regression(["a"], centre=[1.0], scale=[2.0]), quantities), (TASK, weighted)
    known = {"bf16": False, "copies": 0, "cpu": False}
    least = step_memory.step_memory(net, TASK, net.geometry, batch, **known)
    assert all(step_memory.step_memory(net, task, net.geometry, one, **known) > 0.9 * least for task, one in tasks)


def test_an_opponent_is_counted_and_left_as_it_is() -> None:
    net, task = image_unet(2, 1, 1, [4, 4]), Regression(["a"], "mae")
    opponent = Opponent(patch_gan(2, 2, (8, 8)), task, Grid(2))
    batch = Sample(torch.empty(2, 1, 64, 64, device="meta"), torch.empty(2, 1, 64, 64, device="meta"))
    alone, opposed = (
        step_memory.step_memory(net, task, Grid(2), batch, bf16=False, copies=2, cpu=False, opponent=one)
        for one in (None, opponent)
    )
    weights = sum(4 * p.numel() for p in opponent.net.parameters())
    assert opposed > alone + 3 * weights  # themselves, and Adam's two moments of each
    assert all(p.device.type == "cpu" and p.grad is None for p in opponent.net.parameters())
