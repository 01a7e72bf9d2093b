"""Conditioning inputs of a network, and how an embedding modulates features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass  # not frozen: lightning-fabric moves dataclasses to a device field by field
class Condition:
    """Optional conditioning inputs of a network, one row a sample of the batch.

    Attributes:
        embedding: one vector a sample, ``(N, C)`` (a time step, a dose, a tissue).
        tokens: one sequence a sample for cross-attention, ``(N, T, C)``.
        token_mask: which tokens are there, ``(N, T)`` of bool; None: all.

    Raises:
        ValueError: when shapes do not fit each other.
    """

    embedding: Tensor | None = None
    tokens: Tensor | None = None
    token_mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.embedding is not None and self.embedding.ndim != 2:
            raise ValueError(f"embedding {tuple(self.embedding.shape)} must be (samples, channels)")
        if self.tokens is not None and self.tokens.ndim != 3:
            raise ValueError(f"tokens {tuple(self.tokens.shape)} must be (samples, tokens, channels)")
        if self.token_mask is not None and (self.tokens is None or self.token_mask.shape != self.tokens.shape[:2]):
            raise ValueError("token_mask must have one entry for each token, (samples, tokens)")
        if self.embedding is not None and self.tokens is not None and len(self.embedding) != len(self.tokens):
            raise ValueError(f"{len(self.embedding)} embeddings and {len(self.tokens)} sequences of tokens differ")

    def to(self, device: torch.device | str) -> Condition:
        """Return the condition on a device."""
        return Condition(*(part if part is None else part.to(device) for part in self._parts()))

    def repeat(self, times: int) -> Condition:
        """Repeat the whole batch ``times`` times along axis 0, as ``torch.cat([x] * times)`` does."""
        return Condition(*(part if part is None else torch.cat([part] * times) for part in self._parts()))

    @staticmethod
    def join(conditions: Sequence[Condition]) -> Condition:
        """Join the conditions of several samples into one batch.

        Shorter sequences of tokens are padded and masked.

        Raises:
            ValueError: when some have an embedding, or tokens, and some have none.
        """
        embeddings = _given("an embedding", [condition.embedding for condition in conditions])
        tokens = _given("tokens", [condition.tokens for condition in conditions])
        embedding = torch.cat(embeddings) if embeddings else None
        if not tokens:
            return Condition(embedding)
        masks = [condition.token_mask for condition in conditions]
        longest = max(part.shape[1] for part in tokens)
        if all(mask is None for mask in masks) and all(part.shape[1] == longest for part in tokens):
            return Condition(embedding, torch.cat(tokens))
        known = [
            torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) if mask is None else mask
            for part, mask in zip(tokens, masks)
        ]
        padded = [nn.functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in tokens]
        mask = torch.cat([nn.functional.pad(mask, (0, longest - mask.shape[1])) for mask in known])
        return Condition(embedding, torch.cat(padded), mask)

    def _parts(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        return self.embedding, self.tokens, self.token_mask


def _given(name: str, parts: Sequence[Tensor | None]) -> list[Tensor]:
    given = [part for part in parts if part is not None]
    if given and len(given) != len(parts):
        raise ValueError(f"some samples of a batch have {name} and some have none")
    return given


class Modulation(nn.Module):
    """Map a condition's embedding to a scale and a shift for each channel, zero at first.

    Feature-wise linear modulation: ``x (1 + scale) + shift`` (Perez et al. 2018, "FiLM", eq. 2). A new network, and one
    that is given no embedding, is therefore the network without modulation.

    Args:
        embedding_channels: channels of ``Condition.embedding``.
        channels: channels of the features that are modulated.
    """

    reads_condition = ("embedding",)

    def __init__(self, embedding_channels: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_channels, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift, ``(N, channels)`` each, of embeddings ``(N, embedding_channels)``.

        Raises:
            ValueError: when the embeddings have another number of channels.
        """
        if embedding.shape[1] != self.linear.in_features:
            raise ValueError(
                f"an embedding has {embedding.shape[1]} channels where the network takes {self.linear.in_features}"
            )
        scale, shift = self.linear(embedding).chunk(2, dim=1)
        return scale, shift


def check_condition(net: nn.Module, condition: Condition | None) -> None:
    """Check that some module of the network reads each part of the condition that is given.

    A module says so by ``reads_condition``, a tuple of names of ``Condition``'s attributes.

    Raises:
        ValueError: when no module reads the embedding, or the tokens.
    """
    if condition is None:
        return
    read = {name for module in net.modules() for name in getattr(module, "reads_condition", ())}
    for name, words in (("embedding", "an embedding"), ("tokens", "tokens")):
        if getattr(condition, name) is not None and name not in read:
            raise ValueError(
                f"the condition holds {words}, which no block of the network reads: build the network with blocks that "
                f"do, such as block=Conv(condition_channels=8) for an embedding, or leave out the {name}; a block of "
                f"your own that reads them says so by reads_condition = ({name!r},)"
            )
