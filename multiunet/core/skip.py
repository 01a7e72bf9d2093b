"""Skips: the ways in which an encoder field rejoins the decoder, written once for every geometry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, cast, get_args

import torch
from torch import nn
from torch.nn import functional

from multiunet.core.geometry import Geometry
from multiunet.core.lazy import LazyConcat, concatenated
from multiunet.core.shared import Shared, is_fixed, is_hooked

S = TypeVar("S")

PathNorm = Literal["before", "after"]


class Skip(nn.Module, ABC, Generic[S]):
    """Join of the decoder's field with encoder fields on the same sites.

    There is one encoder field, or in a nested U-Net several. ``forward`` returns the field, or a ``LazyConcat`` that
    counts as one. ``skip_channels`` counts the channels of all skips.

    A skip that looks farther than at each site says how far by ``reach``, sites by axis.

    Attributes:
        channels: how many channels the joined field has.
        reads_skip: False where the encoder's field is left out.
    """

    channels: int
    reads_skip = True

    def __init__(self, geometry: Geometry[S], x_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.geometry = geometry

    @abstractmethod
    def forward(self, x: S, *skips: S) -> S | LazyConcat[S]: ...

    def side_by_side(self, skips: tuple[S, ...]) -> S:
        """Return all skips as one field."""
        return LazyConcat(self.geometry, skips).field()


class Concat(Skip[S]):
    """Fields' channels side by side (Ronneberger et al. 2015)."""

    def __init__(self, geometry: Geometry[S], x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.channels = x_channels + skip_channels

    def forward(self, x: S, *skips: S | Shared[S]) -> LazyConcat[S]:
        return LazyConcat(self.geometry, (x, *skips))


class Add(Skip[S]):
    """Sum of the two fields (ResNet-like; LinkNet, Chaurasia & Culurciello 2017).

    Where their channels differ, a pointwise map brings the encoder's to the decoder's.
    """

    def __init__(self, geometry: Geometry[S], x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.channels = x_channels
        self.project = (
            nn.Identity() if x_channels == skip_channels else geometry.make_pointwise(skip_channels, x_channels)
        )

    def forward(self, x: S, *skips: S | Shared[S]) -> S:
        features, skip = self.geometry.features, skips[0]
        if isinstance(skip, Shared):
            carried = skip.read(self, self.project)
        else:
            carried = self.project(self.side_by_side(cast("tuple[S, ...]", skips)))
        return self.geometry.with_features(x, features(x) + features(carried))


class AttentionGate(Skip[S]):
    """Encoder's field weighted site by site by what the decoder asks for, then concatenated.

    Oktay et al. 2018, "Attention U-Net", eq. 1-2: ``alpha = sigmoid(psi(relu(W_s skip + W_x x)))``, additive attention.
    The gating field is the refined decoder field, so no resampling of ``alpha`` is needed.
    """

    def __init__(self, geometry: Geometry[S], x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.channels = x_channels + skip_channels
        gate_channels = max(1, min(x_channels, skip_channels) // 2)
        self.query = geometry.make_pointwise(x_channels, gate_channels)
        self.key = geometry.make_pointwise(skip_channels, gate_channels)
        self.psi = geometry.make_pointwise(gate_channels, 1)

    def attention(self, x: S, skip: S) -> S:
        """Return the weights alpha in (0, 1), one channel, on the sites of ``skip``."""
        g = self.geometry
        agreement = functional.relu(g.features(self.query(x)) + g.features(self.key(skip)))
        return g.with_features(skip, torch.sigmoid(g.features(self.psi(g.with_features(skip, agreement)))))

    def forward(self, x: S, *skips: S) -> LazyConcat[S]:
        skip, features = self.side_by_side(skips), self.geometry.features
        gated = features(skip) * features(self.attention(x, skip))
        return LazyConcat(self.geometry, (x, self.geometry.with_features(skip, gated)))


class NoSkip(Skip[S]):
    """Skip that leaves the encoder's field out, to see what skips are worth: an autoencoder."""

    reads_skip = False

    def __init__(self, geometry: Geometry[S], x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.channels = x_channels

    def forward(self, x: S, *skips: S) -> S:
        return x


MakeSkip = Callable[[Geometry[S], int, int], Skip[S]]
"""Class of a skip, or a function that makes one of ``(geometry, x_channels, skip_channels)``."""

SKIPS: dict[str, type[Skip[Any]]] = {"concat": Concat, "add": Add, "attention": AttentionGate, "none": NoSkip}
"""Classes of skips by name."""


class Merge(nn.Module, Generic[S]):
    """Merge of the two paths: align, normalise, join, normalise, fuse; only the join is always there.

    Args:
        skip: makes the join of the fields, e.g. ``Concat``.
        x_channels, skip_channels: channels of the decoder's and of the encoder's field.
        path_norm: normalise each path before they meet, or the joined field after.
        fuse: bring the joined field to this many channels by a 1x1 map (a valve for the skip's channels).

    Attributes:
        channels: how many channels come out.

    Raises:
        ValueError: when ``path_norm`` is something else, or ``skip`` a name.
    """

    def __init__(
        self,
        geometry: Geometry[S],
        skip: MakeSkip[S],
        x_channels: int,
        skip_channels: int,
        path_norm: PathNorm | None = None,
        fuse: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(skip, str):
            known = SKIPS.get(skip, Concat).__name__
            raise ValueError(f"skip {skip!r} is a name; pass the class itself, as in skip={known}")
        if path_norm not in (None, *get_args(PathNorm)):
            raise ValueError(f"path_norm {path_norm!r} is none of {', '.join(get_args(PathNorm))}")
        self.geometry = geometry
        self.join = skip(geometry, x_channels, skip_channels)
        before, after = path_norm == "before", path_norm == "after"
        self.norm_x = geometry.make_norm(x_channels) if before else nn.Identity()
        self.norm_skip = geometry.make_norm(skip_channels) if before and self.join.reads_skip else nn.Identity()
        self.norm_joined = geometry.make_norm(self.join.channels) if after else nn.Identity()
        self.fuse = nn.Identity() if fuse is None else geometry.make_pointwise(self.join.channels, fuse)
        self.channels = self.join.channels if fuse is None else fuse

    @property
    def reads_skip_once(self) -> bool:
        """True where a single layer reads the encoder's field: the skip's own, or one of the level behind."""
        # its very type: a subclass may do anything with the field
        parts = (self.norm_skip, self.norm_joined, self.fuse)
        plain = type(self.join) in (Concat, Add) and all(isinstance(part, nn.Identity) for part in parts)
        return plain and not is_hooked(self) and is_fixed(self.join)

    def forward(self, x: S, *skips: S) -> S | LazyConcat[S]:
        """Merge the decoder's field with encoder fields, which may be ``Shared`` where ``reads_skip_once``."""
        skips = tuple(self._align(skip, x) for skip in skips)
        if not isinstance(self.norm_skip, nn.Identity):
            skips = (self.norm_skip(self.join.side_by_side(skips)),)
        joined: S | LazyConcat[S] = self.join(self.norm_x(x), *skips)
        for module in (self.norm_joined, self.fuse):
            if not isinstance(module, nn.Identity):
                joined = module(concatenated(joined))
        return joined

    def _align(self, skip: Any, onto: S) -> Any:
        if not isinstance(skip, Shared):
            return self.geometry.align(skip, onto)
        aligned = self.geometry.align(skip.field, onto)
        return skip if aligned is skip.field else aligned
