"""Interface that a kind of data implements to get a U-Net."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from multiunet.core.condition import Condition

S = TypeVar("S")
"""A field: features on sites, one batch of samples."""


class Geometry(ABC, Generic[S]):
    """Factory of the operators that a U-Net is made of, for fields of type ``S``.

    A field is always a batch. Its features form one tensor whose axis 1 holds the channels; its axis 0 holds the
    samples (or, where samples have no common shape, the sites of all samples one after the other), so that the features
    and the targets of a batch are those of its samples, concatenated on axis 0.

    A stride says how much coarser a level is than the one above; ``None`` is the geometry's own default. What else it
    may be (a number, a tuple with one entry an axis) is for the geometry to say; the core only hands it on.
    """

    @abstractmethod
    def make_block(self, in_channels: int, out_channels: int) -> nn.Module:
        """Make a module ``(field, condition) -> field`` that mixes features with those of nearby sites."""

    @abstractmethod
    def make_down(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        """Make a module ``field -> coarser field``."""

    @abstractmethod
    def make_up(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        """Make a module ``(coarse field, skip field) -> field`` on the sites of the skip."""

    @abstractmethod
    def make_pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        """Make a module ``field -> field``, an affine map of the channels, site by site."""

    @abstractmethod
    def make_norm(self, channels: int) -> nn.Module:
        """Make a module ``field -> field``, the geometry's normalisation of the features."""

    @abstractmethod
    def features(self, field: S) -> Tensor:
        """Return the features of a field, channels on axis 1."""

    @abstractmethod
    def with_features(self, field: S, features: Tensor) -> S:
        """Return the same sites with other features."""

    @abstractmethod
    def collate(self, fields: Sequence[S]) -> S:
        """Join several fields into one batch."""

    @abstractmethod
    def sample(self, values: Tensor, fine: S, coarse: S, stride: Any = None) -> Tensor:
        """Take values (labels, targets) from the sites of ``fine`` to those of ``coarse``, one level below.

        ``stride`` is that of the way down. Values are picked, never mixed: labels stay labels. Deep supervision
        compares coarse outputs with them.
        """

    @abstractmethod
    def example(self, channels: int, seed: int) -> S:
        """Make a small valid field of one sample; any two can be collated. Used by the conformance suite."""

    def example_condition(self, seed: int) -> Condition | None:
        """Make a condition of one sample that the blocks read; None: they read none."""
        return None

    def penalty(self, output: S) -> Tensor | None:
        """Return what the network's own parts add to the loss of this output, a scalar; None: nothing."""
        return None

    def batch_size(self, field: S) -> int:
        """Return the number of samples in a batch: the rows of its features, unless it says otherwise."""
        return len(self.features(field))

    def at_sites(self, field: S, vectors: Tensor) -> Tensor:
        """Bring one vector a sample, ``(N, C)``, to the sites: a tensor that broadcasts against the features."""
        raise NotImplementedError(f"{type(self).__name__} does not say how vectors come to its sites: give it at_sites")

    def as_sequences(self, field: S) -> tuple[Tensor, Tensor | None]:
        """Return the features of each sample's sites in a row, ``(N, L, C)``, for attention over all of them.

        With it the mask of the sites that are there, ``(N, L)`` of bool; None where all are.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no sequences, which attention reads: give it as_sequences"
        )

    def from_sequences(self, field: S, sequences: Tensor) -> S:
        """Put sequences ``(N, L, C)``, in the order of ``as_sequences``, onto the sites of a field."""
        raise NotImplementedError(
            f"{type(self).__name__} has no sequences, which attention makes: give it from_sequences"
        )

    def align(self, skip: S, onto: S) -> S:
        """Return the part of ``skip`` on the sites of ``onto``; all of it, unless blocks lose sites."""
        return skip


@runtime_checkable
class Tileable(Protocol):
    """Geometry whose fields can be cut into tiles.

    The conformance suite compares tiles of such fields with the whole. The axes of a field's features behind the first
    two are its axes of space.
    """

    def crop(self, field: Any, start: Sequence[int], stop: Sequence[int]) -> Any:
        """Return the sites from ``start`` to before ``stop``, by axis."""
