"""Tests of the embedding of a condition: what is not said changes nothing, and what there is no room for raises."""

import math

import pytest
import torch
from torch import nn

from multiunet import Condition, Graph, Grid, NestedUNet, UNet
from multiunet.core import ConditionEmbedding, Fourier, Sinusoid
from multiunet.geometries import Conv


def test_sinusoid_is_the_formula() -> None:
    found = Sinusoid(6)(torch.tensor([0.0, 3.0]))
    frequencies = [10_000 ** (-i / 3) for i in range(3)]
    expected = [math.cos(3 * f) for f in frequencies] + [math.sin(3 * f) for f in frequencies]
    assert torch.allclose(found[1], torch.tensor(expected), atol=1e-6)
    assert found[0].tolist() == [1, 1, 1, 0, 0, 0]


def test_fourier_features_have_variance_1_and_repeat() -> None:
    values = torch.linspace(-2, 2, 501)
    found = Fourier(512, bandwidth=4.0)(values)
    assert abs(float(found.square().mean()) - 1) < 1e-3
    assert torch.equal(found, Fourier(512, bandwidth=4.0)(values))


@pytest.mark.parametrize("make", [Sinusoid, Fourier])
def test_features_come_in_pairs(make: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="channels 5 must be even"):
        make(5)


def embed(**options: object) -> ConditionEmbedding:
    torch.manual_seed(0)
    return ConditionEmbedding(8, **options)  # type: ignore[arg-type]


def test_the_embedding_is_the_sum_of_its_parts() -> None:
    net = embed(noise=Fourier(4), labels=3, embedding_channels=2)
    noise, own = torch.tensor([0.5, -0.5]), torch.randn(2, 2)
    found = net(Condition(own, noise=noise, labels=torch.tensor([2, -1]))).embedding
    assert net.noise
    assert net.noise_net
    assert net.label_table
    assert net.project
    labels = torch.stack([net.label_table.weight[2], net.label_table.weight[3]])
    expected = nn.functional.silu(net.noise_net(net.noise(noise)) + labels + net.project(own))
    assert torch.allclose(found, expected, atol=1e-6)


def test_no_label_is_the_null_label() -> None:
    net = embed(noise=Fourier(4), labels=3)
    noise = torch.zeros(2)
    unsaid, null = net(Condition(noise=noise)), net(Condition(noise=noise, labels=torch.tensor([-1, -1])))
    assert torch.equal(unsaid.embedding, null.embedding)


def test_words_become_tokens_behind_one_that_is_always_there() -> None:
    net = embed(words=5, most_words=3)
    found = net(Condition(words=torch.tensor([[4, 2, 0], [0, 0, 0]])))
    assert found.tokens.shape == (2, 4, 8)
    assert net.word_table
    assert found.token_mask.tolist() == [[True, True, True, False], [True, False, False, False]]
    assert torch.equal(found.tokens[0, 2], net.word_table.weight[2] + net.positions[1])
    assert torch.equal(found.tokens[0, 0], found.tokens[1, 0])


def test_own_tokens_keep_their_mask() -> None:
    net = embed(tokens_in=3, token_channels=4)
    mask = torch.tensor([[True, False]])
    found = net(Condition(tokens=torch.randn(1, 2, 3), token_mask=mask))
    assert found.tokens.shape == (1, 3, 4)
    assert found.token_mask.tolist() == [[True, True, False]]
    assert net(Condition(tokens=torch.randn(1, 2, 3))).token_mask.all()


def test_an_embedded_condition_stays_as_it_is() -> None:
    net = embed(labels=3)
    once = net(Condition(labels=torch.tensor([1])))
    assert net(once) is once


@pytest.mark.parametrize(
    ("options", "condition", "words"),
    [
        ({"labels": 3}, Condition(labels=torch.tensor([3])), "not all among 0 to 2"),
        ({"words": 3}, Condition(words=torch.tensor([[4]])), "from 1 to 3"),
        ({"words": 3, "most_words": 1}, Condition(words=torch.tensor([[1, 1]])), "most_words=1"),
        ({"noise": Fourier(4)}, Condition(labels=torch.tensor([0])), "no level of noise"),
    ],
)
def test_what_there_is_no_room_for(options: dict[str, object], condition: Condition, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        embed(**options)(condition)


def test_room_for_nothing() -> None:
    with pytest.raises(ValueError, match="room for nothing"):
        ConditionEmbedding(8)


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("geometry", [Grid(1, block=Conv(condition_channels=8)), Graph(condition_channels=8)])
def test_a_network_embeds_what_it_is_given_in_every_way(kind: type[UNet], geometry: Grid | Graph) -> None:
    net = kind(geometry, 2, 1, [4, 6, 8], embed=embed(noise=Fourier(4), labels=2), deep_supervision=1).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        x = geometry.example(2, 0)
        conditions = [Condition(noise=torch.zeros(1), labels=torch.tensor([label])) for label in (0, 1)]
        one, other = (geometry.features(net(x, condition)) for condition in conditions)
        assert not torch.equal(one, other)
        trail = net.encode(x, conditions[0])
        assert torch.equal(geometry.features(net.decode(trail, conditions[0])), one)
        assert torch.equal(geometry.features(net.outputs(x, conditions[0])[0]), one)


def test_a_network_without_room_raises() -> None:
    net = UNet(Grid(1, block=Conv(condition_channels=8)), 1, 1, [4, 6], embed=embed(noise=Fourier(4)))
    with pytest.raises(ValueError, match=r"holds a label.*room for labels"):
        net(torch.zeros(1, 1, 8), Condition(noise=torch.zeros(1), labels=torch.tensor([0])))


def test_an_embedding_that_no_block_reads_raises() -> None:
    net = UNet(Grid(1), 1, 1, [4, 6], embed=embed(labels=2))
    with pytest.raises(ValueError, match="no block of the network reads"):
        net(torch.zeros(1, 1, 8), Condition(labels=torch.tensor([0])))


def test_what_there_is_no_room_for_goes_on_to_blocks_as_it_is_or_raises() -> None:
    tokens, mask = torch.randn(2, 3, 4), torch.tensor([[True, True, False]] * 2)
    made = embed(noise=Fourier(4))(Condition(noise=torch.zeros(2), tokens=tokens, token_mask=mask))
    assert made.tokens is tokens
    assert made.token_mask is mask
    own = torch.randn(2, 8)
    assert embed(words=3)(Condition(own, words=torch.ones(2, 1, dtype=torch.int64))).embedding is own
    with pytest.raises(ValueError, match="there is room for it with embedding_channels"):
        embed(noise=Fourier(4))(Condition(own, noise=torch.zeros(2)))
