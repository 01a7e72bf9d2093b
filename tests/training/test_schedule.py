"""Recipes, learning rates, and the order of batches."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from multiunet import Recipe
from multiunet.seeds import derive, generator, permutation
from multiunet.training.loader import EpochSampler
from multiunet.training.schedule import schedule


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"optimizer": "rmsprop"}, "optimizer 'rmsprop' is none of adamw, adam, sgd"),
        ({"schedule": "linear"}, "schedule 'linear' is none of cosine, poly, constant"),
        ({"precision": "16"}, "precision '16' is none of auto, 32, bf16"),
        ({"batch_size": 0}, "batch_size 0 must be at least 1"),
        ({"lr": -1}, "lr -1 must be a number that is not negative"),
        ({"lr": 0}, "lr 0 and clip 1.0 must be more than 0"),
        ({"clip": -1}, "clip -1 must be"),
        ({"weight_decay": math.nan}, "weight_decay nan must be"),
        ({"workers": -1}, "workers -1 must be"),
        ({"ema": 1.0}, r"ema 1.0 must be in \[0, 1\)"),
    ],
)
def test_recipes_that_cannot_be_followed_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Recipe(**options)


def test_cosine_is_torchs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    ours = schedule("cosine", 50)
    for step in range(50):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-7)
        optimizer.step()
        theirs.step()


def test_warmup_rises_to_the_peak_and_the_rest_falls() -> None:
    rate = schedule("poly", 100, warmup=0.1)
    rising, falling = [rate(step) for step in range(10)], [rate(step) for step in range(10, 101)]
    assert rising == sorted(rising)
    assert rising[0] == pytest.approx(1 / 11)
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 1.0
    assert falling[-1] == 0.0
    assert rate(55) == pytest.approx(0.5**0.9)
    assert schedule("constant", 100)(99) == 1.0


def test_an_epoch_draws_each_item_once_and_another_epoch_in_another_order() -> None:
    sampler = EpochSampler(items=6, batch_size=2, batches=6, seed=1)
    first = [key for batch in sampler for key in batch]
    assert Counter(item for _, _, item in first) == dict.fromkeys(range(6), 2)
    assert sorted(item for _, _, item in first[:6]) == list(range(6))
    assert [position for _, position, _ in first] == list(range(12))
    sampler.epoch = 1
    assert [key[2] for batch in sampler for key in batch] != [key[2] for key in first]


def test_a_plan_begun_in_the_middle_is_the_rest_of_the_whole() -> None:
    sampler = EpochSampler(items=5, batch_size=3, batches=7, seed=1)
    whole = list(sampler)
    sampler.first = 4
    assert list(sampler) == whole[4:]
    assert len(sampler) == 3


def test_seeds_are_functions_of_their_key() -> None:
    assert derive(1, 2, 3) == derive(1, 2, 3) != derive(1, 3, 2)
    assert len({derive(0, a, b) for a in range(30) for b in range(30)}) == 900
    assert generator(4, 5).random() == generator(4, 5).random()
    alike = [(1, 2, 3), (1, 2, 3, 0), (1, 2, 3, 0, 0), (1, 2 + (3 << 32)), ("a", 1), ("b", 1), (1,)]
    assert len({derive(*key) for key in alike}) == len({generator(*key).random() for key in alike}) == len(alike)
    assert derive(np.int64(3)) == derive(3)
    assert sorted(permutation(9, 3, 1)) == list(range(9))
