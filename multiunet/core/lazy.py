"""Concatenation of fields that copies nothing together before a block needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from multiunet.core.geometry import Geometry

S = TypeVar("S")


@dataclass(frozen=True)
class LazyConcat(Generic[S]):
    """Concatenation of fields on the same sites, channel-wise, not yet copied into one field.

    Copied into one they would be the widest field of a U-Net, alive when memory is scarcest. A block whose
    ``forward`` is marked ``reads_lazy_concat`` reads them one after the other.
    """

    geometry: Geometry[S]
    parts: tuple[S, ...]

    def field(self) -> S:
        """Return the one field, copied together."""
        if len(self.parts) == 1:
            return self.parts[0]
        features = torch.cat([self.geometry.features(part) for part in self.parts], dim=1)
        return self.geometry.with_features(self.parts[0], features)


F = TypeVar("F", bound=Callable[..., Any])


def reads_lazy_concat(forward: F) -> F:
    """Mark a block's ``forward`` as one that also takes a ``LazyConcat``.

    It makes the same of it as of the one field, to rounding.

    The mark is the method's own: a subclass that puts another ``forward`` in its place is given the one field.
    """
    forward.reads_lazy_concat = True  # type: ignore[attr-defined]
    return forward


def concatenated(x: S | LazyConcat[S]) -> S:
    """Return the one field, copied together where it is a ``LazyConcat``."""
    return x.field() if isinstance(x, LazyConcat) else x


def call_block(block: nn.Module, x: S | LazyConcat[S], *given: Any) -> S:
    """Return ``block(x, *given)``; a ``LazyConcat`` is copied together unless the block reads it."""
    # hooks were written for the one field
    reads = getattr(block.forward, "reads_lazy_concat", False) and not is_hooked(block)
    result: S = block(x if reads else concatenated(x), *given)
    return result


def is_hooked(module: nn.Module) -> bool:
    """Return True when a call does more than ``forward``: hooks of pruning, profilers and FSDP."""
    hooks = (module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks)
    return any(hooks)
