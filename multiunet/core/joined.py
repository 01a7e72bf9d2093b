"""Fields that count as one without being copied into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from multiunet.core.geometry import Geometry

S = TypeVar("S")


@dataclass(frozen=True)
class Joined(Generic[S]):
    """Fields on the same sites that count as one, their channels side by side.

    Copied into one they would be the widest field of a U-Net, alive when memory is scarcest. What can (``ReadsParts``)
    reads them one after the other.
    """

    geometry: Geometry[S]
    parts: tuple[S, ...]

    def field(self) -> S:
        """The one field, copied together."""
        if len(self.parts) == 1:
            return self.parts[0]
        features = torch.cat([self.geometry.features(part) for part in self.parts], dim=1)
        return self.geometry.with_features(self.parts[0], features)


@runtime_checkable
class ReadsParts(Protocol):
    """A block that makes of fields side by side what it makes of the one field, to rounding, without the copy."""

    def of_parts(self, parts: Sequence[Any], /, *given: Any) -> Any: ...


def field_of(x: S | Joined[S]) -> S:
    """The one field."""
    return x.field() if isinstance(x, Joined) else x


def applied(block: nn.Module, x: S | Joined[S], *given: Any) -> S:
    """``block(x, *given)``, part by part where the block can."""
    result: S
    if isinstance(x, Joined) and isinstance(block, ReadsParts):
        result = block.of_parts(x.parts, *given)
    else:
        result = block(field_of(x), *given)
    return result
