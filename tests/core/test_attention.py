"""Tests of attention against torch's own, and of what a mask leaves out."""

import pytest
import torch
from torch import nn

from multiunet.core import MultiheadAttention


def test_it_is_torchs_with_the_same_weights() -> None:
    torch.manual_seed(0)
    ours, peer = MultiheadAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        peer.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        peer.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
    peer.out_proj = ours.out  # type: ignore[assignment]
    x, there = torch.randn(2, 5, 12), torch.tensor([[True] * 5, [True, True, False, True, False]])
    expected, _ = peer(x, x, x, key_padding_mask=~there)
    assert torch.allclose(ours(x, mask=there), expected, atol=1e-6)


def test_what_the_mask_leaves_out_is_not_read() -> None:
    attention = MultiheadAttention(8, 2, context_channels=3)
    x, context, there = torch.randn(1, 4, 8), torch.randn(1, 3, 3), torch.tensor([[True, False, True]])
    other = context.clone()
    other[:, 1] = 100.0
    for bias in (None, torch.randn(2, 4, 3)):
        one, two = (attention(x, read, there, bias) for read in (context, other))
        assert torch.equal(one, two)
        assert torch.allclose(
            one, attention(x, context[:, [0, 2]], bias=None if bias is None else bias[..., [0, 2]]), atol=1e-6
        )


def test_a_bias_is_added_to_the_scores() -> None:
    attention = MultiheadAttention(4, 1)
    x = torch.randn(1, 3, 4)
    scores = attention.query(x) @ attention.key(x).transpose(1, 2) / 2
    bias = torch.randn(3, 3)
    expected = attention.out((scores + bias).softmax(-1) @ attention.value(x))
    assert torch.allclose(attention(x, bias=bias), expected, atol=1e-6)


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be shared out among 3 heads"):
        MultiheadAttention(10, 3)
