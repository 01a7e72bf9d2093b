"""Regular grids of one, two or three dimensions: sequences, images, volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Geometry
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.crop import crop_centre
from multiunet.geometries.grid.down import MaxPool
from multiunet.geometries.grid.layers import Activation, Layers, Normalization, Padding, Sizes
from multiunet.geometries.grid.parts import Block, Down, Up
from multiunet.geometries.grid.up import Resize


@dataclass(frozen=True)
class Grid(Geometry[Tensor]):
    """Fields ``(N, C, *space)`` on a grid of 1, 2 or 3 axes, of any size.

    Coarsening keeps a last, partial window, so a level of n sites has ceil(n / stride) below it; refining repeats each
    coarse site stride times and cuts the overhang. Sites therefore stay where they are at any size, odd or even.

    Args:
        ndim: axes of space.
        block: mixes a site's features with those of nearby sites, e.g. ``Conv(kernel=5, dropout=0.1)``.
        down: ``MaxPool()``, ``AveragePool()`` or ``StridedConv()``.
        up: ``Resize("nearest")``, ``Resize("linear")``, ``Transposed()`` or ``PixelShuffle()``.
        normalization, activation, padding, groups: those of ``Layers``, of which all parts are made.
        stride: of levels that name none.

    Raises:
        ValueError: when a part does not fit the number of axes or the padding, or a name is none of those known.
        TypeError: when a part is something else, such as its name.

    >>> Grid(2, block=Conv(residual=True), up=Resize("linear")).make_block(1, 8)(torch.zeros(1, 1, 5, 6)).shape
    torch.Size([1, 8, 5, 6])
    """

    ndim: int
    block: Block = Conv()  # noqa: RUF009 -- frozen, as all parts are
    down: Down = MaxPool()  # noqa: RUF009
    up: Up = Resize()  # noqa: RUF009
    normalization: Normalization = "batch"
    activation: Activation = "relu"
    padding: Padding = "same"
    stride: Sizes = 2
    groups: int | None = None

    def __post_init__(self) -> None:
        layers = self.layers  # which checks its settings
        for name, part, kind in (("block", self.block, Block), ("down", self.down, Down), ("up", self.up, Up)):
            if not isinstance(part, kind):
                raise TypeError(f"{name} {part!r} is not a {kind.__name__}; give a part, such as {EXAMPLES[name]}")
            part.check(layers)

    @property
    def layers(self) -> Layers:
        """Layers of which all parts are made."""
        return Layers(self.ndim, self.normalization, self.activation, self.padding, self.groups)

    def make_block(self, in_channels: int, out_channels: int) -> nn.Module:
        return self.block.build(self.layers, in_channels, out_channels)

    def make_down(self, in_channels: int, out_channels: int, stride: Sizes | None = None) -> nn.Module:
        return self.down.build(self.layers, in_channels, out_channels, self._steps(stride))

    def make_up(self, in_channels: int, out_channels: int, stride: Sizes | None = None) -> nn.Module:
        return self.up.build(self.layers, in_channels, out_channels, self._steps(stride))

    def make_pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        return self.layers.make_pointwise(in_channels, out_channels)

    def make_norm(self, channels: int) -> nn.Module:
        return self.layers.make_norm(channels)

    def features(self, field: Tensor) -> Tensor:
        return field

    def with_features(self, field: Tensor, features: Tensor) -> Tensor:
        return features

    def collate(self, fields: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(fields), dim=0)

    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor, stride: Sizes | None = None) -> Tensor:
        if self.padding == "valid":
            raise ValueError("deep supervision needs padding='same': where sites are lost, levels do not share borders")
        for axis, step in zip(range(-self.ndim, 0), self._steps(stride)):
            size, count = values.shape[axis], coarse.shape[axis]
            # the middle of each window; the last, partial one may end before its middle
            middles = (torch.arange(count, device=values.device) * step + step // 2).clamp(max=size - 1)
            values = values.index_select(axis, middles)
        return values

    def at_sites(self, field: Tensor, vectors: Tensor) -> Tensor:
        return vectors.reshape(*vectors.shape, *[1] * self.ndim)

    def as_sequences(self, field: Tensor) -> tuple[Tensor, None]:
        return field.flatten(2).transpose(1, 2), None

    def from_sequences(self, field: Tensor, sequences: Tensor) -> Tensor:
        count, _, channels = sequences.shape
        return sequences.transpose(1, 2).reshape(count, channels, *field.shape[2:])

    def example(self, channels: int, seed: int) -> Tensor:
        # long enough along the last axis that a tile of it has sites which see nothing of what was cut off
        sizes = {1: (37,), 2: (9, 26), 3: (5, 6, 26)}[self.ndim]
        return torch.randn((1, channels, *sizes), generator=torch.Generator().manual_seed(seed))

    def example_condition(self, seed: int) -> Condition | None:
        return self.block.example_condition(seed)

    def crop(self, field: Tensor, start: Sequence[int], stop: Sequence[int]) -> Tensor:
        """Return the sites from ``start`` to before ``stop``, by axis, of ``(N, C, *space)``."""
        for axis, (first, last) in enumerate(zip(start, stop), start=2):
            field = field.narrow(axis, first, last - first)
        return field

    def align(self, skip: Tensor, onto: Tensor) -> Tensor:
        if self.padding == "same":
            return skip
        return crop_centre(skip, onto.shape[2:])

    def _steps(self, stride: Sizes | None) -> tuple[int, ...]:
        return self.layers.sizes("stride", self.stride if stride is None else stride)


EXAMPLES = {"block": "Conv(kernel=3)", "down": "MaxPool()", "up": 'Resize("nearest")'}
"""Parts, for errors."""
