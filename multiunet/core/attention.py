"""Attention of sequences: every place reads all places of its own sequence, or of another one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional


class MultiheadAttention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2).

    Args:
        channels: of the sequence; a multiple of ``heads``.
        heads: number of heads.
        context_channels: of the sequence that is read, where that is another one; None: the sequence reads itself.
        bias: give queries, keys and values a bias.
        inner: channels of all heads together; ``channels`` by default.

    Raises:
        ValueError: when the channels cannot be shared out among the heads.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        context_channels: int | None = None,
        bias: bool = True,
        inner: int | None = None,
    ) -> None:
        super().__init__()
        inner = channels if inner is None else inner
        if heads < 1 or inner % heads:
            raise ValueError(f"{inner} channels cannot be shared out among {heads} heads; give a divisor of them")
        self.heads, self.context_channels = heads, context_channels
        read = channels if context_channels is None else context_channels
        self.query, self.key, self.value = (nn.Linear(c, inner, bias=bias) for c in (channels, read, read))
        self.out = nn.Linear(inner, channels)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        turn: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Return ``(N, L, channels)`` of sequences ``(N, L, channels)``.

        Args:
            context: what is read, ``(N, K, context_channels)``; None: ``x`` itself.
            mask: which places of it are there, ``(N, K)`` of bool; None: all. Each sequence needs one.
            bias: added to the scores before the softmax, broadcastable to ``(N, heads, L, K)``.
            turn: applied to queries and keys, ``(N, heads, places, channels)``, which are so told their places.
        """
        read = x if context is None else context
        query, key, value = (
            layer(part).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, part in ((self.query, x), (self.key, read), (self.value, read))
        )
        if turn is not None:
            query, key = turn(query), turn(key)
        seen = None if mask is None else mask[:, None, None, :]
        if bias is not None:
            bias = bias.to(query.dtype)
            seen = bias if seen is None else bias.masked_fill(~seen, float("-inf"))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
