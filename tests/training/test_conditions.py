"""Conditions reach the network in training: collated, moved, counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from multiunet import Condition, Grid, Recipe, Regression, UNet, fit
from multiunet.training.data import Sample, TrainingData
from multiunet.training.loader import Collate
from multiunet.training.probe import Probe
from multiunet.training.step_memory import step_memory


class Scaling(UNet):
    """A U-Net that multiplies its input by the embedding, and keeps the embeddings that it was given."""

    def __init__(self, deep_supervision: int = 0) -> None:
        super().__init__(Grid(1), 1, 1, [4, 4, 4], deep_supervision=deep_supervision)
        self.seen: list[Tensor] = []

    def encode(self, x, condition=None):
        if condition is not None:
            self.seen.append(condition.embedding.clone())
            x = x * condition.embedding[:, :, None]
        return super().encode(x)


class Known(TrainingData):
    """Signals whose scale is known, numbered by it."""

    def __len__(self) -> int:
        return 6

    def draw(self, item, rng) -> Sample:
        x = torch.from_numpy(rng.normal(size=(1, 1, 16))).float()
        return Sample(x, item * x, condition=Condition(torch.tensor([[float(item)]])))


@pytest.mark.parametrize("deep_supervision", [0, 1])
def test_the_network_is_given_each_samples_condition(deep_supervision: int) -> None:
    net = Scaling(deep_supervision)
    recipe = Recipe(epochs=2, batch_size=3, device="cpu", precision="bf16")
    fit(net, Regression(["y"], "mse"), Grid(1), Known(), recipe=recipe)
    for epoch in (net.seen[:2], net.seen[2:]):
        assert sorted(torch.cat(epoch).flatten().tolist()) == [0, 1, 2, 3, 4, 5]


def test_conditions_are_joined_and_must_be_given_for_all_or_none() -> None:
    given = [
        Sample(torch.zeros(1, 1, 4), torch.zeros(1, 1, 4), condition=Condition(torch.tensor([[n]]))) for n in (1, 2)
    ]
    collate = Collate(Grid(1))
    assert collate(given).condition.embedding.tolist() == [[1], [2]]
    assert collate([replace(one, condition=None) for one in given]).condition is None
    with pytest.raises(ValueError, match="some samples of a batch have a condition and some have none"):
        collate([given[0], replace(given[1], condition=None)])


def test_memory_and_time_of_a_step_are_those_with_its_condition() -> None:
    field, embedding = torch.zeros(2, 1, 4096), torch.ones(2, 1)
    net, task = Scaling(), Regression(["y"], "mse")
    batches = [Sample(field, field, condition=given) for given in (None, Condition(embedding))]
    plain, given = (step_memory(net, task, Grid(1), one, bf16=False, copies=0, cpu=False) for one in batches)
    assert given > plain
    Probe(task, Grid(1), batches[1], torch.device("cpu"), bf16=False).prefers(net, net)
    assert len(net.seen) > 1
