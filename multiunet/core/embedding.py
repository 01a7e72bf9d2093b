"""Embedding of a condition: from levels of noise, labels and words to what blocks read."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from multiunet.core.condition import Condition


class Embedded(Condition):
    """Condition that a ``ConditionEmbedding`` has made: its embedding and tokens are what blocks read."""


class Sinusoid(nn.Module):
    """Sines and cosines of numbers, at frequencies from 1 down (Vaswani et al. 2017, section 3.5).

    For time steps that count up to about ``longest / 10``, as in Ho et al. 2020.

    Args:
        channels: even.
        longest: the longest wavelength, by 2 pi.
        scale: of the numbers, before anything else.
    """

    frequencies: Tensor

    def __init__(self, channels: int, longest: float = 10_000.0, scale: float = 1.0) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels {channels} must be even: half are cosines, half are sines")
        self.channels, self.scale = channels, scale
        half = channels // 2
        frequencies = torch.exp(-math.log(longest) * torch.arange(half, dtype=torch.float32) / half)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return ``(N, channels)`` of values ``(N,)``: cosines, then sines."""
        angles = (self.scale * values)[:, None] * self.frequencies.to(values)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class Fourier(nn.Module):
    """Sines and cosines of numbers at random frequencies (Tancik et al. 2020, eq. 5; Karras et al. 2022).

    For numbers of about -2 to 2, such as ``log(sigma) / 4``.

    Args:
        channels: even.
        bandwidth: standard deviation of the frequencies, in periods per unit.
        seed: of the frequencies, which are not learnt.
    """

    frequencies: Tensor

    def __init__(self, channels: int, bandwidth: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels {channels} must be even: half are cosines, half are sines")
        self.channels = channels
        draw = torch.randn(channels // 2, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("frequencies", 2 * math.pi * bandwidth * draw)

    def forward(self, values: Tensor) -> Tensor:
        """Return ``(N, channels)`` of values ``(N,)``: cosines, then sines; each of variance 1."""
        angles = values[:, None] * self.frequencies.to(values)
        return torch.cat([angles.cos(), angles.sin()], dim=1) * math.sqrt(2)


class ConditionEmbedding(nn.Module):
    """Make an embedding and tokens, which blocks read, of all that a condition says.

    The embedding is ``SiLU(m(noise) + table[label] + linear(embedding))``, where ``m`` is a network of two layers on
    features of the noise (Ho et al. 2020, appendix B). Each label has a learnt vector, and so has the label that is not
    said, the null class of guidance (Ho & Salimans 2022). Tokens are a learnt one that is always there, then those of
    the words, each with its position, or the given ones. So a sample without words has something to attend to.

    Args:
        channels: of the embedding; blocks must be built for as many (``Conv(condition_channels=...)``).
        noise: makes features of ``Condition.noise``, such as ``Fourier(64)``; None: no room for it.
        labels: number of classes; 0: no room for labels.
        embedding_channels: channels of an embedding of one's own; 0: no room for one.
        words: size of the vocabulary, whose words count from 1; 0: no room for words.
        most_words: the longest caption.
        tokens_in: channels of tokens of one's own, in place of words; 0: no room for them.
        token_channels: of the tokens that blocks read; ``channels`` by default.

    Raises:
        ValueError: when there is room for nothing, or for words and for tokens.
    """

    def __init__(
        self,
        channels: int,
        *,
        noise: Sinusoid | Fourier | None = None,
        labels: int = 0,
        embedding_channels: int = 0,
        words: int = 0,
        most_words: int = 64,
        tokens_in: int = 0,
        token_channels: int | None = None,
    ) -> None:
        super().__init__()
        if words and tokens_in:
            raise ValueError("words and tokens_in: captions are words or tokens of one's own; give one of them")
        if noise is None and not (labels or embedding_channels or words or tokens_in):
            raise ValueError("an embedding with room for nothing; give noise, labels, words or another argument")
        self.channels, self.labels, self.words, self.most_words = channels, labels, words, most_words
        self.token_channels = channels if token_channels is None else token_channels
        self.noise = noise
        self.noise_net: nn.Sequential | None = None
        if noise is not None:
            first, second = nn.Linear(noise.channels, channels), nn.Linear(channels, channels)
            self.noise_net = nn.Sequential(first, nn.SiLU(), second)
        self.label_table = nn.Embedding(labels + 1, channels) if labels else None  # the last row: not said
        self.project = nn.Linear(embedding_channels, channels) if embedding_channels else None
        self.word_table: nn.Embedding | None = None
        self.token_project: nn.Linear | None = None
        if words:
            self.word_table = nn.Embedding(words + 1, self.token_channels, padding_idx=0)
            self.positions = nn.Parameter(0.02 * torch.randn(most_words, self.token_channels))
        if tokens_in:
            self.token_project = nn.Linear(tokens_in, self.token_channels)
        if words or tokens_in:
            self.null_token = nn.Parameter(0.02 * torch.randn(self.token_channels))
        given = {"noise": noise, "labels": labels, "embedding": embedding_channels, "words": words, "tokens": tokens_in}
        self.reads_condition = tuple(name for name, room in given.items() if room)

    def forward(self, condition: Condition) -> Embedded:
        """Return the condition as blocks read it; one that is embedded stays as it is.

        Tokens that there is no room for are handed on as they are, and so is an embedding where none is made.

        Raises:
            ValueError: when a label or a word is none of those that there is room for, the noise is missing, or an
                embedding is given that has no room beside the one that is made.
        """
        if isinstance(condition, Embedded):
            return condition
        rows = len(condition)
        tokens, mask = self._tokens(condition, rows)
        return Embedded(self._embedding(condition, rows), tokens, mask)

    def _embedding(self, condition: Condition, rows: int) -> Tensor | None:
        parts = []
        if self.noise is not None and self.noise_net is not None:
            if condition.noise is None:
                raise ValueError("the condition holds no level of noise, which this network must be given: `noise`")
            features = self.noise(condition.noise.float())
            parts.append(self.noise_net(features.to(self.noise_net[0].weight.dtype)))
        if self.label_table is not None:
            parts.append(self.label_table(self._labels(condition, rows)))
        if self.project is not None and condition.embedding is not None:
            parts.append(self.project(condition.embedding))
        elif parts and condition.embedding is not None:
            raise ValueError(
                "the condition holds an embedding of its own: there is room for it with embedding_channels"
            )
        return nn.functional.silu(torch.stack(parts).sum(dim=0)) if parts else condition.embedding

    def _labels(self, condition: Condition, rows: int) -> Tensor:
        table = self.label_table
        assert table is not None
        if condition.labels is None:
            return torch.full((rows,), self.labels, dtype=torch.int64, device=table.weight.device)
        labels = condition.labels
        if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < self.labels:
            raise ValueError(
                f"labels {sorted(set(labels.tolist()))} are not all among 0 to {self.labels - 1} (-1: not said)"
            )
        return labels.where(labels >= 0, self.labels)

    def _tokens(self, condition: Condition, rows: int) -> tuple[Tensor | None, Tensor | None]:
        if self.word_table is None and self.token_project is None:
            return condition.tokens, condition.token_mask
        null = self.null_token.expand(rows, 1, -1)
        always = torch.ones(rows, 1, dtype=torch.bool, device=null.device)
        if self.word_table is not None and condition.words is not None:
            words = condition.words
            if words.numel() and not 0 <= int(words.min()) <= int(words.max()) <= self.words:
                raise ValueError(f"words count from 1 to {self.words} (0: none); {int(words.max())} is outside")
            if words.shape[1] > self.most_words:
                raise ValueError(f"a caption of {words.shape[1]} words is longer than most_words={self.most_words}")
            own, there = self.word_table(words) + self.positions[: words.shape[1]], words > 0
        elif self.token_project is not None and condition.tokens is not None:
            own, mask = self.token_project(condition.tokens), condition.token_mask
            there = always.expand(-1, own.shape[1]) if mask is None else mask
        else:
            return null, None
        return torch.cat([null, own], dim=1), torch.cat([always, there], dim=1)
