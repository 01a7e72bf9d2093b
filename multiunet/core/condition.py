"""Conditioning inputs of a network, and how an embedding modulates features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

WORDS = {
    "embedding": "an embedding",
    "tokens": "tokens",
    "noise": "a level of noise",
    "labels": "a label",
    "words": "words",
}
"""Parts of a condition that a module can read, as errors name them."""


@dataclass  # not frozen: lightning-fabric moves dataclasses to a device field by field
class Condition:
    """Optional conditioning inputs of a network, one row a sample of the batch.

    Blocks read ``embedding`` and ``tokens``. The others are raw: a network's ``ConditionEmbedding`` makes of them what
    blocks read.

    Attributes:
        embedding: one vector a sample, ``(N, C)`` (a dose, a tissue).
        tokens: one sequence a sample for cross-attention, ``(N, T, C)``.
        token_mask: which tokens are there, ``(N, T)`` of bool; None: all.
        noise: how noisy the input is, or a time, one number a sample, ``(N,)``.
        labels: class of each sample, ``(N,)`` of int64; -1: not said.
        words: numbers of the words of a caption, ``(N, T)`` of int64 from 1; 0: none. A row of 0: not said.

    Raises:
        ValueError: when shapes do not fit each other.
    """

    embedding: Tensor | None = None
    tokens: Tensor | None = None
    token_mask: Tensor | None = None
    noise: Tensor | None = None
    labels: Tensor | None = None
    words: Tensor | None = None

    def __post_init__(self) -> None:
        for name, axes in AXES.items():
            part = getattr(self, name)
            if part is not None and part.ndim != len(axes):
                raise ValueError(f"{name} {tuple(part.shape)} must be ({', '.join(axes)})")
        if self.token_mask is not None and (self.tokens is None or self.token_mask.shape != self.tokens.shape[:2]):
            raise ValueError("token_mask must have one entry for each token, (samples, tokens)")
        rows = {name: len(part) for name, part in self._given().items()}
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{count} of {name}" for name, count in rows.items())
            raise ValueError(f"parts of a condition differ in their rows ({counts}); give one for each sample")

    def __len__(self) -> int:
        """Return the number of samples; 0 where nothing is given."""
        return next((len(part) for part in self._given().values()), 0)

    def to(self, device: torch.device | str) -> Condition:
        """Return the condition on a device."""
        return replace(self, **{name: part.to(device) for name, part in self._given().items()})

    def repeat(self, times: int) -> Condition:
        """Repeat the whole batch ``times`` times along axis 0, as ``torch.cat([x] * times)`` does."""
        return replace(self, **{name: torch.cat([part] * times) for name, part in self._given().items()})

    @staticmethod
    def join(conditions: Sequence[Condition]) -> Condition:
        """Join the conditions of several samples into one batch.

        Shorter sequences of tokens are padded and masked, those of words padded.

        Raises:
            ValueError: when a part is given for some samples, and for some not.
        """
        parts: dict[str, list[Tensor]] = {}
        for name, words in WORDS.items():
            found = [getattr(condition, name) for condition in conditions]
            given = [part for part in found if part is not None]
            if given and len(given) != len(found):
                raise ValueError(f"some samples of a batch have {words} and some have none")
            if given:
                parts[name] = given
        masks = _join_masks([condition.token_mask for condition in conditions], parts.get("tokens", []))
        joined = {
            name: torch.cat(_pad(given) if name in ("tokens", "words") else given) for name, given in parts.items()
        }
        return Condition(**joined, token_mask=masks)

    def _given(self) -> dict[str, Tensor]:
        """Parts that are given, by name."""
        return {name: part for name, part in vars(self).items() if part is not None}


AXES = {
    "embedding": ("samples", "channels"),
    "tokens": ("samples", "tokens", "channels"),
    "noise": ("samples",),
    "labels": ("samples",),
    "words": ("samples", "words"),
}
"""What the axes of each part are."""


def _join_masks(masks: Sequence[Tensor | None], tokens: Sequence[Tensor]) -> Tensor | None:
    """Join masks of tokens; None where all tokens are there."""
    longest = max((part.shape[1] for part in tokens), default=0)
    if all(mask is None for mask in masks) and all(part.shape[1] == longest for part in tokens):
        return None
    known = [
        torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) if mask is None else mask
        for part, mask in zip(tokens, masks)
    ]
    return torch.cat(_pad(known))


def _pad(sequences: Sequence[Tensor]) -> list[Tensor]:
    """Pad sequences ``(N, T, ...)`` by zeros to the longest."""
    longest = max(part.shape[1] for part in sequences)
    return [nn.functional.pad(part, (0, 0) * (part.ndim - 2) + (0, longest - part.shape[1])) for part in sequences]


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


class Settled(nn.Module):
    """Scale and shift that a condition made once, in place of the ``Modulation`` that made them.

    Args:
        scale, shift: ``(1, channels)``, for all samples.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return scale and shift."""
        return self.scale, self.shift


def check_condition(net: nn.Module, condition: Condition | None) -> None:
    """Check that some module of the network reads each part of the condition that is given.

    A module says so by ``reads_condition``, a tuple of names of ``Condition``'s attributes.

    Raises:
        ValueError: when no module reads a part.
    """
    if condition is None:
        return
    read = {name for module in net.modules() for name in getattr(module, "reads_condition", ())}
    for name, words in WORDS.items():
        if getattr(condition, name) is None or name in read:
            continue
        if name in ("embedding", "tokens"):
            remedy = (
                "build the network with blocks that do, such as block=Conv(condition_channels=8) for an embedding, or "
                f"leave out the {name}; a block of your own that reads them says so by reads_condition = ({name!r},)"
            )
        else:
            remedy = f"build the network with embed=ConditionEmbedding(...) that has room for {name}, or leave them out"
        raise ValueError(f"the condition holds {words}, which no block of the network reads: {remedy}")
