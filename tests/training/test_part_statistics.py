"""Statistics of norms over the parts of a step, against torch's own updates one after the other."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from multiunet.errors import InputError
from multiunet.training.part_statistics import PartStatistics


def test_parts_in_any_order_give_what_torch_counts_one_after_the_other() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 3, 1), nn.BatchNorm1d(3), nn.BatchNorm1d(3, momentum=0.3)).train()
    batches = [torch.randn(4, 2, 8) for _ in range(3)]
    expected = copy.deepcopy(net)
    for batch in batches:
        expected(batch)
    statistics = PartStatistics([net])
    statistics.begin()
    changes = torch.zeros(3, statistics.size, dtype=torch.float64)
    for part in (2, 0, 1):
        net(batches[part])
        changes[part] = statistics.take()
    statistics.apply(changes)
    for name, value in expected.named_buffers():
        torch.testing.assert_close(dict(net.named_buffers())[name], value, rtol=1e-6, atol=1e-6)
    assert int(net[1].num_batches_tracked) == 3


def test_a_norm_that_a_part_uses_twice_or_never_counts_as_often() -> None:
    torch.manual_seed(1)
    norm, unused = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    expected, batch = copy.deepcopy(norm), torch.randn(5, 2)
    expected(expected(batch))
    statistics = PartStatistics([nn.ModuleList([norm, unused])])
    statistics.begin()
    norm(norm(batch))
    changes = statistics.take()
    assert torch.equal(norm.running_mean, torch.zeros(2))
    statistics.apply(changes[None])
    torch.testing.assert_close(norm.running_var, expected.running_var, rtol=1e-6, atol=1e-6)
    assert int(norm.num_batches_tracked) == 2
    assert int(unused.num_batches_tracked) == 0
    assert torch.equal(unused.running_var, torch.ones(2))


def test_a_norm_without_momentum_is_refused() -> None:
    with pytest.raises(InputError, match="no momentum"):
        PartStatistics([nn.BatchNorm1d(2, momentum=None)])
