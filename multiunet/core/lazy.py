"""Concatenation of fields that copies nothing together before a block needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from multiunet.core.geometry import Geometry
from multiunet.core.shared import Shared, is_fixed, is_hooked

S = TypeVar("S")


@dataclass(frozen=True)
class LazyConcat(Generic[S]):
    """Concatenation of fields on the same sites, channel-wise, not yet copied into one field.

    Copied into one they would be the widest field of a U-Net, alive when memory is scarcest. A block whose
    ``forward`` is marked ``reads_lazy_concat`` reads them one after the other.

    Attributes:
        members: the fields; some may be ``Shared``, for a layer that reads each of them once and keeps its result.
    """

    geometry: Geometry[S]
    members: tuple[S | Shared[S], ...]

    @property
    def parts(self) -> tuple[S, ...]:
        """The fields themselves."""
        return tuple(member.raw() if isinstance(member, Shared) else member for member in self.members)

    @property
    def fresh(self) -> tuple[S, ...]:
        """Fields that are not ``Shared``."""
        return tuple(member for member in self.members if not isinstance(member, Shared))

    @property
    def shared(self) -> tuple[Shared[S], ...]:
        """Fields that are."""
        return tuple(member for member in self.members if isinstance(member, Shared))

    @property
    def widths(self) -> list[int]:
        """Channels of each field."""
        features = self.geometry.features
        return [one.channels if isinstance(one, Shared) else int(features(one).shape[1]) for one in self.members]

    def field(self) -> S:
        """Return the one field, copied together."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0]
        features = torch.cat([self.geometry.features(part) for part in parts], dim=1)
        return self.geometry.with_features(parts[0], features)


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


def compute_once(
    x: S | LazyConcat[S], reader: nn.Module, parts: Iterable[nn.Module], make: Callable[[S | LazyConcat[S]], S]
) -> S:
    """Return ``make(x)``; where all of ``x`` is shared, the result is kept for later decodings.

    Args:
        reader: the block that asks.
        parts: the modules that ``make`` calls; with dropout or a hook in one of them nothing is kept.
    """
    if not isinstance(x, LazyConcat) or x.fresh:
        return make(x)
    geometry = x.geometry
    if len(x.members) > 1 or not all(is_fixed(part) for part in parts):
        return make(LazyConcat(geometry, x.parts))
    made = x.shared[0].read(reader, make)
    # a copy: the layers behind may write into what they are given
    return geometry.with_features(made, geometry.features(made).clone())
