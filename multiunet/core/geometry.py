"""The interface that a kind of data implements to get a U-Net."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

S = TypeVar("S")
"""A field: features on sites, one batch of samples."""


class Geometry(ABC, Generic[S]):
    """A factory of the operators that a U-Net is made of, for fields of type ``S``.

    A field is always a batch. Its features form one tensor whose axis 1 holds the channels; its axis 0 holds the
    samples (or, where samples have no common shape, the sites of all samples one after the other), so that the features
    and the targets of a batch are those of its samples, concatenated on axis 0.

    A stride says how much coarser a level is than the one above; ``None`` is the geometry's own default. What else it
    may be (a number, a tuple with one entry an axis) is for the geometry to say; the core only hands it on.
    """

    @abstractmethod
    def block(self, in_channels: int, out_channels: int) -> nn.Module:
        """``(field, condition) -> field`` on the same sites: mixes features with those of nearby sites."""

    @abstractmethod
    def down(self, channels: int, stride: Any = None) -> nn.Module:
        """``field -> coarser field`` with the same number of channels."""

    @abstractmethod
    def up(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        """``(coarse field, skip field) -> field`` on the sites of the skip field; undoes ``down`` of that stride."""

    @abstractmethod
    def pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        """``field -> field``, an affine map of the channels, site by site."""

    @abstractmethod
    def norm(self, channels: int) -> nn.Module:
        """``field -> field``, the geometry's normalisation of the features."""

    @abstractmethod
    def features(self, field: S) -> Tensor:
        """The features of a field, channels on axis 1."""

    @abstractmethod
    def with_features(self, field: S, features: Tensor) -> S:
        """The same sites with other features."""

    @abstractmethod
    def collate(self, fields: Sequence[S]) -> S:
        """One batch from several."""

    @abstractmethod
    def sample(self, values: Tensor, fine: S, coarse: S, stride: Any = None) -> Tensor:
        """Values known on the sites of ``fine`` (labels, targets), taken at the sites of ``coarse``, one level below.

        ``stride`` is that of the way down. Values are picked, never mixed: labels stay labels. Deep supervision
        compares coarse outputs with them.
        """

    @abstractmethod
    def example(self, channels: int, seed: int) -> S:
        """A small valid field of one sample; any two can be collated. The conformance suite needs nothing else."""

    def down_to(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        """``field -> coarser field`` with other channels, for networks that widen between levels."""
        return nn.Sequential(self.down(in_channels, stride), self.pointwise(in_channels, out_channels))

    def penalty(self, output: S) -> Tensor | None:
        """What the network's own parts add to the loss of this output, a scalar; None: nothing."""
        return None

    def align(self, skip: S, onto: S) -> S:
        """The part of ``skip`` on the sites of ``onto``; differs from ``skip`` only where blocks lose sites."""
        return skip
