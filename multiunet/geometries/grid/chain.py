"""Layers in a row, of which the first reads a ``LazyConcat`` without copying its parts together."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from multiunet.core import Condition, LazyConcat, reads_lazy_concat
from multiunet.core.condition import Settled
from multiunet.core.exporting import is_exporting
from multiunet.core.lazy import concatenated
from multiunet.core.shared import Shared, is_hooked
from multiunet.device import unfolded_by_torch
from multiunet.geometries.grid.layers import CONV


class Modulated(nn.Module):
    """Scale and shift of each channel by the condition's embedding; the identity without one.

    Args:
        modulation: maps embeddings to scales and shifts.
    """

    def __init__(self, modulation: nn.Module) -> None:
        super().__init__()
        self.modulation = modulation

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        made = modulate(self.modulation, condition, len(x))
        if made is None:
            return x
        scale, shift = (each.reshape(*each.shape, *[1] * (x.ndim - 2)) for each in made)
        return x * (1 + scale) + shift


class Chain(nn.Sequential):
    """Layers one after the other, ``(x, condition) -> field``; the first reads a ``LazyConcat``."""

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        first, *rest = self
        y = call_on_parts(first, x)
        for layer in rest:
            y = layer(y, condition) if isinstance(layer, Modulated) else layer(y)
        return y


def modulate(modulation: nn.Module, condition: Condition | None, samples: int) -> tuple[Tensor, Tensor] | None:
    """Return scale and shift, ``(samples, channels)`` each; None without an embedding.

    Where the condition is settled they are ``(1, channels)``.

    Raises:
        ValueError: see ``read_embedding``.
    """
    if isinstance(modulation, Settled):
        return modulation()  # type: ignore[no-any-return]
    embedding = read_embedding(condition, samples)
    return None if embedding is None else modulation(embedding)


def read_embedding(condition: Condition | None, samples: int) -> Tensor | None:
    """Return the embedding that a condition holds; None where there is none.

    Raises:
        ValueError: when it has not one row for each sample.
    """
    if condition is None or condition.embedding is None:
        return None
    if len(condition.embedding) != samples:
        raise ValueError(
            f"{len(condition.embedding)} embeddings are given for a batch of {samples}; give one for each sample"
        )
    return condition.embedding


def call_on_parts(layer: nn.Module, x: Tensor | LazyConcat[Tensor]) -> Tensor:
    """Return ``layer(x)``; that of a plain convolution is the sum over the parts of ``x``, to rounding.

    The product of a shared part is computed once, and added in the same order and precision.
    """
    if not isinstance(x, LazyConcat) or is_exporting() or not x.fresh or not splits(layer) or _unfolds(x):
        y: Tensor = layer(concatenated(x))
        return y
    conv = cast("nn.Conv1d", layer)
    weights = conv.weight.split(x.widths, dim=1)
    # the shared ones first: what a product takes the place of is gone before more is made
    kept = [_read(conv, part, weight) for part, weight in zip(x.members, weights) if isinstance(part, Shared)]
    own = [(part, weight) for part, weight in zip(x.members, weights) if not isinstance(part, Shared)]
    (first, weight), *rest = own
    y = conv._conv_forward(first, weight, conv.bias)
    for part, weight in rest:
        y += conv._conv_forward(part, weight, None)
    for product in kept:
        y += product
    return y


def _read(conv: nn.Conv1d, part: Shared[Tensor], weight: Tensor) -> Tensor:
    return part.read(conv, lambda field: conv._conv_forward(field, weight, None))


def _unfolds(x: LazyConcat[Tensor]) -> bool:
    fields = (*x.fresh, *(part.field for part in x.shared if not part.is_read))
    return any(unfolded_by_torch(field) for field in fields)


def splits(layer: nn.Module) -> bool:
    """Return True for a plain convolution, whose product is the sum of those of its input's parts."""
    # its very type: subclasses and parametrized layers do what only a call of them does
    return type(layer) in (*CONV.values(), nn.Conv1d) and cast("nn.Conv1d", layer).groups == 1 and not is_hooked(layer)
