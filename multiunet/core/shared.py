"""Fields that are the same in many decodings: their reader keeps its result in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from torch import nn

from multiunet.core.dropout import Dropout
from multiunet.core.geometry import Geometry

S = TypeVar("S")


class Shared(Generic[S]):
    """Field that many decodings read alike, until its only reader keeps its result in the field's place.

    For networks in evaluation mode, without gradients: from one decoding to the next only masks of dropout change.

    Args:
        room: bytes that the result may take. None: no more than the field, and on its sites, as others look where the
            field lies.

    Attributes:
        field: the field, or what its reader made of it.
        channels: channels of the field, also when it is no longer there.
    """

    def __init__(self, geometry: Geometry[S], field: S, room: int | None = None) -> None:
        self.geometry, self.field, self.room = geometry, field, room
        self.channels = int(geometry.features(field).shape[1])
        self._reader: object | None = None

    @property
    def is_read(self) -> bool:
        """True when the reader's result is in the field's place."""
        return self._reader is not None

    def raw(self) -> S:
        """Return the field itself.

        Raises:
            RuntimeError: when a reader's result is in its place.
        """
        if self.is_read:
            raise RuntimeError(
                "a saved field was read by one layer in the first decoding and by another in a later one; change "
                "neither the network nor its hooks between samples"
            )
        return self.field

    def read(self, reader: object, make: Callable[[S], S]) -> S:
        """Return ``make(field)``, computed once where there is room to keep it; it must not be written to."""
        if self._reader is reader:
            return self.field
        made = make(self.raw())
        if self._fits(made):
            self.field, self._reader = made, reader
        return made

    def _fits(self, made: S) -> bool:
        was, is_ = self.geometry.features(self.field), self.geometry.features(made)
        if self.room is not None:
            return is_.nbytes <= self.room
        return is_.nbytes <= was.nbytes and _sites(is_.shape) == _sites(was.shape)


def _sites(shape: Any) -> tuple[int, ...]:
    return (shape[0], *shape[2:])


def sites_of(field: S | Shared[S]) -> S:
    """Return a field on the same sites; its features may be others."""
    return field.field if isinstance(field, Shared) else field


F = TypeVar("F", bound=Callable[..., Any])


def reads_sites_alone(method: F) -> F:
    """Mark a way up's ``forward`` that takes from the skip its sites and never its features.

    Any method that is given a field may be marked so. Monte-Carlo samples may then give it another field on the same
    sites. The mark is the method's own, as that of ``reads_lazy_concat`` is.
    """
    method.reads_sites_alone = True  # type: ignore[attr-defined]
    return method


def reads_sites(method: Callable[..., Any]) -> bool:
    """Return True for a method that is marked ``reads_sites_alone``."""
    return getattr(method, "reads_sites_alone", False)


def is_hooked(module: nn.Module) -> bool:
    """Return True when a call does more than ``forward``: hooks of pruning, profilers and FSDP."""
    hooks = (module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks)
    return any(hooks)


def is_fixed(module: nn.Module) -> bool:
    """Return True when calls with one input all give one output, in evaluation mode; no hook sees them."""
    return not any(is_hooked(part) or (isinstance(part, Dropout) and part.p > 0) for part in module.modules())
