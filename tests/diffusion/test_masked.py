"""Masked diffusion of classes: the bound is the entropy for who knows all, and samples have the law."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Geometry, Graph, GraphField, Grid, Recipe, Sample, TrainingData, UNet, fit
from multiunet.diffusion import (
    MaskedData,
    MaskedModel,
    MaskedState,
    Masking,
    NoisedValidator,
    SiteNoise,
    Unmasker,
    Unmasking,
    encode_masked,
)
from multiunet.diffusion.unmasker import draw_classes

from .conftest import make_field

LINE = Grid(1)


class Pairs(TrainingData):
    """Sites in pairs of one class, 0 or 1 with 0.3 and 0.7."""

    def __len__(self) -> int:
        return 100

    def draw(self, item: int, rng: np.random.Generator) -> Sample:
        labels = torch.from_numpy((rng.random(20) < 0.7).astype(np.int64)).repeat_interleave(2)[None]
        return Sample(torch.zeros(1, 0, 40), labels)


class Knowing(nn.Module):
    """Network that knows the law of ``Pairs``: a site has the class of its partner, where that is shown."""

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        partner = x.unflatten(2, (20, 2)).flip(3).flatten(2)
        law = torch.tensor([0.3, 0.7]).log()[None, :, None]
        sure = 40 * partner[:, :2]
        return torch.where(partner[:, 2:] > 0, law, sure)


ENTROPY = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7)) / 2


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_bound_of_who_knows_all_is_the_entropy(schedule: str) -> None:
    data = MaskedData(Pairs(), LINE, 2, Masking(schedule))
    scores = NoisedValidator(data, Unmasking(), turns=20)(Knowing())
    assert scores["loss"] == pytest.approx(ENTROPY, rel=0.04)
    assert scores["perplexity"] == pytest.approx(math.exp(ENTROPY), rel=0.02)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_weight_is_the_slope_of_the_masked_share_by_the_share(schedule: str) -> None:
    masking = Masking(schedule)
    for t in (0.1, 0.5, 0.9):
        slope = (masking.share(t + 1e-6) - masking.share(t - 1e-6)) / 2e-6
        assert masking.weight(t) == pytest.approx(slope / masking.share(t), rel=1e-5)
    assert (masking.share(0), masking.share(1)) == pytest.approx((0, 1))


@pytest.mark.parametrize("order", ["random", "confidence"])
def test_samples_have_the_law_of_the_data(order: str) -> None:
    field = torch.zeros(60, 0, 40)
    unmasker = Unmasker(LINE, rounds=40, order=order)
    uniform = SiteNoise(LINE, 1).uniform_on(field, range(60))
    sample = unmasker.run(field, MaskedModel(Knowing(), 2, LINE).on(field), uniform)
    assert abs(float((sample == 1).double().mean()) - 0.7) < 0.04
    agree = sample.unflatten(1, (20, 2)).diff(dim=2) == 0
    assert float(agree.double().mean()) > 0.96


def test_data_hide_sites_and_ask_for_their_classes(geometry: Geometry) -> None:
    field = make_field(geometry, 1)
    labels = (geometry.features(field)[:, 0] > 0).long()
    labels.view(-1)[0] = -1
    data = MaskedData(Pairs(), geometry, 2)
    sample = data.spoil(Sample(field, labels), 0.6, np.random.default_rng(0))
    shown = geometry.features(sample.field)
    assert torch.equal(shown[:, :3].sum(dim=1), torch.ones_like(shown[:, 0]))
    assert torch.equal(shown[:, 3:], geometry.features(field))
    hidden = shown[:, 2] == 1
    assert torch.equal(sample.target >= 0, hidden & (labels >= 0))
    assert torch.equal(sample.target[sample.target >= 0], labels[sample.target >= 0])
    assert float(sample.weight.view(-1)[0]) == 0
    assert float(sample.weight.view(-1)[1]) == pytest.approx(1 / (0.001 + 0.999 * 0.6))


def test_as_many_sites_are_hidden_as_the_process_says() -> None:
    clean = Sample(torch.zeros(1, 0, 4000), torch.zeros(1, 4000, dtype=torch.int64))
    sample = MaskedData(Pairs(), LINE, 2, Masking("cosine")).spoil(clean, 0.6, np.random.default_rng(0))
    assert abs(float((sample.target >= 0).double().mean()) - math.cos(math.pi / 2 * 0.4)) < 0.03


@pytest.mark.parametrize("order", ["random", "confidence"])
def test_rounds_reveal_all_and_keep_what_is_known(geometry: Geometry, order: str) -> None:
    field = make_field(geometry, 0)
    features = geometry.features(field)
    known = torch.full((features.shape[0], *features.shape[2:]), -1)
    known.view(-1)[:3] = 1

    def guess(labels: Tensor) -> Tensor:
        log_p = torch.tensor([0.2, 0.3, 0.5]).log().view(1, 3, *[1] * (labels.ndim - 1))
        return log_p.expand(len(labels), 3, *labels.shape[1:])

    uniform, states = SiteNoise(geometry, 2).uniform_on(field, [0, 1]), []
    unmasker = Unmasker(geometry, 4, Masking("cosine"), order)
    whole = unmasker.run(field, guess, uniform, known, states.append)
    assert bool((whole >= 0).all())
    assert whole.view(-1)[:3].tolist() == [1, 1, 1]
    counts = [int((state.labels < 0).sum()) for state in states]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 0
    # resumed from between two rounds
    state = MaskedState(states[1].labels.clone(), states[1].done)
    while state.done < 4:
        state = unmasker.advance(field, guess, uniform, state)
    assert torch.equal(state.labels, whole)
    with pytest.raises(ValueError, match="all 4 rounds are done"):
        unmasker.advance(field, guess, uniform, state)


def test_classes_are_drawn_by_their_probabilities() -> None:
    log_p = torch.tensor([0.2, 0.3, 0.5]).log()[None, :, None].expand(1, 3, 4)
    uniform = torch.tensor([0.1, 0.25, 0.49, 0.9])[None, None]
    assert draw_classes(log_p, uniform).tolist() == [[0, 1, 1, 2]]


def test_guidance_sharpens_towards_the_label() -> None:
    class Labelled(nn.Module):
        def forward(self, x: Tensor, condition: Condition) -> Tensor:
            lean = torch.where(condition.labels < 0, 0.0, 1.0)[:, None]
            return torch.stack([torch.zeros_like(lean), lean], dim=1).expand(-1, -1, x.shape[2])

    model, label = MaskedModel(Labelled(), 2, LINE, null_class=True), Condition(labels=torch.tensor([1]))
    masked = torch.full((1, 5), -1)
    log_p = model.on(torch.zeros(1, 0, 5), label, guidance=3.0)(masked)
    assert float(log_p[0, 1, 0] - log_p[0, 0, 0]) == pytest.approx(3.0)
    with pytest.raises(ValueError, match="`condition_drop=0"):
        MaskedModel(Labelled(), 2, LINE).on(torch.zeros(1, 0, 5), label, guidance=3.0)


def test_a_network_learns_to_fill_in() -> None:
    """After a few steps the bound is near the entropy, which is half of that of independent sites."""
    net = UNet(Grid(1, normalization="layer", activation="silu"), 3, 2, [16, 16])
    data = MaskedData(Pairs(), LINE, 2)
    validate = NoisedValidator(data, Unmasking(), turns=1, batch_size=50)
    fit(net, Unmasking(), LINE, data, recipe=Recipe(epochs=8, batch_size=10, lr=0.01, precision="32"))
    with torch.no_grad():
        assert validate(net.eval())["loss"] < 1.4 * ENTROPY


def test_the_same_lines_train_on_graphs() -> None:
    graph = Graph()

    class Nodes(TrainingData):
        def __len__(self) -> int:
            return 4

        def draw(self, item: int, rng: np.random.Generator) -> Sample:
            field = make_field(graph, 0)
            return Sample(replace(field, x=field.x.float()), torch.from_numpy(rng.integers(0, 3, 12)))

    net = UNet(graph, 4, 3, [4, 8])
    data = MaskedData(Nodes(), graph, 3)
    assert fit(net, Unmasking(), graph, data, recipe=Recipe(epochs=1, precision="32")).epoch == 1
    field: GraphField = data.clean.draw(0, np.random.default_rng(0)).field
    uniform = SiteNoise(graph, 0).uniform_on(field, [0, 1])
    sample = Unmasker(graph, 3).run(field, MaskedModel(net.eval(), 3, graph).on(field), uniform)
    assert sample.shape == (12,)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="schedule 'sine'"):
        Masking("sine")
    with pytest.raises(ValueError, match="classes 1"):
        MaskedData(Pairs(), LINE, 1)
    with pytest.raises(ValueError, match="class 2 is none of the 2 classes"):
        encode_masked(LINE, torch.zeros(1, 0, 3), torch.tensor([[0, 1, 2]]), 2)
    with pytest.raises(ValueError, match="rounds 0"):
        Unmasker(LINE, 0)
    with pytest.raises(ValueError, match="order 'last'"):
        Unmasker(LINE, 1, order="last")
    with pytest.raises(ValueError, match="temperature 0"):
        Unmasker(LINE, 1, temperature=0)
