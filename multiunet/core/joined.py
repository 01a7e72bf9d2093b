"""Fields that count as one without being copied into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from multiunet.core.geometry import Geometry

S = TypeVar("S")


@dataclass(frozen=True)
class Joined(Generic[S]):
    """Fields on the same sites that count as one, their channels side by side.

    Copied into one they would be the widest field of a U-Net, alive when memory is scarcest. A block whose
    ``forward`` is marked ``reads_joined`` reads them one after the other.
    """

    geometry: Geometry[S]
    parts: tuple[S, ...]

    def field(self) -> S:
        """The one field, copied together."""
        if len(self.parts) == 1:
            return self.parts[0]
        features = torch.cat([self.geometry.features(part) for part in self.parts], dim=1)
        return self.geometry.with_features(self.parts[0], features)


F = TypeVar("F", bound=Callable[..., Any])


def reads_joined(forward: F) -> F:
    """Marks a block's ``forward`` that also takes ``Joined`` fields, and then makes the same of them, to rounding.

    The mark is the method's own: a subclass that puts another ``forward`` in its place is given the one field.
    """
    forward.reads_joined = True  # type: ignore[attr-defined]
    return forward


def field_of(x: S | Joined[S]) -> S:
    """The one field."""
    return x.field() if isinstance(x, Joined) else x


def applied(block: nn.Module, x: S | Joined[S], *given: Any) -> S:
    """``block(x, *given)``, of fields that count as one where the block reads them."""
    # hooks were written for the one field
    reads = getattr(block.forward, "reads_joined", False) and not is_hooked(block)
    result: S = block(x if reads else field_of(x), *given)
    return result


def is_hooked(module: nn.Module) -> bool:
    """Whether a call does more than ``forward``, as pruning, profilers and FSDP make it do."""
    hooks = (module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks)
    return any(hooks)
