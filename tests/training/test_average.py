"""Moving averages of weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multiunet.training.average import MovingAverage


def test_moving_average_is_torchs_after_its_ramp() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ours = MovingAverage(net, 0.9)
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    theirs.n_averaged += 1
    for _ in range(5):
        with torch.no_grad():
            net[0].weight.add_(torch.randn_like(net[0].weight))
            net[1].running_mean.add_(1)
        ours.update(net, updates=10_000)
        theirs.update_parameters(net)
    torch.testing.assert_close(ours.net[0].weight, theirs.module[0].weight)
    torch.testing.assert_close(ours.net[1].running_mean, theirs.module[1].running_mean)


def test_moving_average_soon_forgets_the_start() -> None:
    net = nn.Linear(1, 1)
    average = MovingAverage(net, 0.999)
    with torch.no_grad():
        net.weight.fill_(5.0)
    average.update(net, updates=0)
    assert float(average.net.weight) > 4.0
