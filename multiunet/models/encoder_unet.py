"""U-Net over an encoder from elsewhere: any network that makes fields, coarser and coarser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import SKIPS, Condition, LevelSpec, Trail, UNet
from multiunet.core.checkpointing import checkpoint_block
from multiunet.core.condition import check_condition
from multiunet.core.exporting import count_windows
from multiunet.core.level import per_level
from multiunet.core.receptive_field import ReceptiveField, unet_receptive_field
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.crop import crop_start
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Layers, Normalization
from multiunet.geometries.grid.parts import Block, Down
from multiunet.models.measured_reach import measure_reaches

Sites = tuple[int, ...]

MARGIN = 4
"""Coarsest sites that tiles have as margin, of an encoder that looks everywhere."""


@dataclass(frozen=True)
class Feature:
    """Field that an encoder makes.

    Args:
        channels: of the field.
        spacing: sites of the input for each of its sites, by axis.
    """

    channels: int
    spacing: Sites


class Pyramid(nn.Module):
    """Encoder from elsewhere, and what it makes: ``(N, in_channels, *space)`` to a list of fields.

    Args:
        net: gives, of an input whose sides are multiples of the coarsest spacing, a list of fields of exactly
            ``side / spacing`` sites.
        in_channels: channels of the input.
        features: the fields, finest first; the spacing of each divides that of the next.

    Raises:
        ValueError: when spacings are no such sequence.
    """

    def __init__(self, net: nn.Module, in_channels: int, features: Sequence[Feature]) -> None:
        super().__init__()
        if not features:
            raise ValueError("an encoder without features; give one at least")
        for fine, coarse in pairwise(features):
            if fine.spacing == coarse.spacing or any(b % a for a, b in zip(fine.spacing, coarse.spacing)):
                raise ValueError(
                    f"features of spacings {[one.spacing for one in features]}: each must be coarser than the one "
                    "before, by whole factors"
                )
        self.net, self.in_channels, self.features = net, in_channels, tuple(features)

    @cached_property
    def reaches(self) -> tuple[Sites, ...] | None:
        """Reach of each field from an input site's own site, in input sites by axis; None: everywhere."""
        return measure_reaches(self, self.in_channels, [one.spacing for one in self.features])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the fields of an input of any size; a last, partial site counts.

        Beyond its end an input is zero up to the next multiple of the coarsest spacing.
        """
        space = x.shape[2:]
        fill = [count_windows(size, step) * step - size for size, step in zip(space, self.features[-1].spacing)]
        x = functional.pad(x, [end for rest in reversed(fill) for end in (0, rest)])
        return [
            crop_start(field, [count_windows(size, step) for size, step in zip(space, one.spacing)])
            for field, one in zip(self.net(x), self.features)
        ]


class EncoderUNet(UNet[Tensor]):
    """``UNet`` whose way down is a ``Pyramid``.

    Its levels are the pyramid's fields, and before them the input itself, unless the first field lies on its sites. The
    encoder's blocks and ways do nothing here but say how far the pyramid looks.
    """

    def __init__(self, pyramid: Pyramid, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pyramid = pyramid

    def prefix(self) -> list[nn.Module]:
        return [self.pyramid]

    def encode(self, x: Tensor, condition: Condition | None = None) -> Trail[Tensor]:
        check_condition(self, self.read(condition))
        fields = checkpoint_block(self.pyramid, x) if self.gradient_checkpointing else self.pyramid(x)
        above = [] if max(self.pyramid.features[0].spacing) == 1 else [x]
        return Trail((*above, *fields[:-1]), fields[-1])

    def receptive_field(self) -> ReceptiveField:
        """Return the receptive field; that of a pyramid that looks everywhere is a margin, and not exact.

        Such a pyramid counts as if its coarsest sites did.
        """
        reaches, ndim = self.pyramid.reaches, len(self.pyramid.features[0].spacing)
        spacings = [one.spacing for one in self.pyramid.features]
        looks = [tuple(MARGIN * step for step in spacings[-1])] * len(spacings) if reaches is None else reaches
        coarser = [(spacing, look) for spacing, look in zip(spacings, looks) if max(spacing) > 1]
        for down, ((fine, near), (_, far)) in zip(self.downs, pairwise([((1,) * ndim, (0,) * ndim), *coarser])):
            cast("GivenModule", down).reach = tuple(max(0, -(-(b - a) // step)) for a, b, step in zip(near, far, fine))
        seen = unet_receptive_field(self)
        return seen if reaches is not None else replace(seen, exact=False, everywhere=spacings[-1])


@dataclass(frozen=True)
class Given(Block, Down):
    """Block, or way down, whose work a pyramid does."""

    def build(
        self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...] | None = None
    ) -> nn.Module:
        return GivenModule((1,) * layers.ndim if stride is None else stride)


class GivenModule(nn.Module):
    """Module of ``Given``, which is never called.

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks; ``EncoderUNet.receptive_field`` sets it.
    """

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride, self.reach = stride, (0,) * len(stride)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        raise RuntimeError("the pyramid of this network makes all fields at once; call the network's encode")


def encoder_unet(
    pyramid: Pyramid,
    out_channels: int,
    channels: Sequence[int],
    *,
    normalization: Normalization = "batch",
    residual: bool = False,
    dropout: float = 0.1,
    skip: Literal["concat", "add", "attention", "none"] = "concat",
    gradient_checkpointing: bool = False,
) -> EncoderUNet:
    """Build a U-Net whose way down is an encoder from elsewhere; the way up is that of ``image_unet``.

    ``(N, in_channels, *space)`` of any size becomes ``(N, out_channels, *space)``. Skips carry the encoder's fields and
    the input itself. Dropout is in the bottleneck and the decoder alone, so Monte-Carlo samples share one pass of the
    encoder.

    Args:
        pyramid: the encoder.
        out_channels: channels of the output.
        channels: channels of the decoder by level, finest first, the last the bottleneck's.
        normalization, residual: of the decoder's blocks.
        dropout: probability; 0: no Monte-Carlo uncertainty.

    Raises:
        ValueError: when there are not as many channels as levels.

    >>> import torch
    >>> from multiunet.models.encoder_unet import Feature, Pyramid, encoder_unet
    >>> class Stem(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv, self.pool = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.MaxPool2d(2)
    ...
    ...     def forward(self, x):
    ...         return [self.conv(x), self.pool(self.conv(x))]
    >>> pyramid = Pyramid(Stem(), in_channels=3, features=[Feature(8, (2, 2)), Feature(8, (4, 4))])
    >>> encoder_unet(pyramid, out_channels=2, channels=[4, 8, 8])(torch.zeros(1, 3, 33, 20)).shape
    torch.Size([1, 2, 33, 20])
    """
    fields = describe_levels(pyramid.features, pyramid.in_channels)
    widths = per_level("channels", channels, len(fields))
    ndim = len(fields[0].spacing)
    decoder = Grid(ndim, block=Conv(residual=residual, dropout=dropout), normalization=normalization)
    *finer, coarsest = [
        LevelSpec(one.channels, entering=one.channels if i else None, decoder_channels=width)
        for i, (one, width) in enumerate(zip(fields, widths))
    ]
    return EncoderUNet(
        pyramid,
        Grid(ndim, block=Given(), down=Given()),
        pyramid.in_channels,
        out_channels,
        [*finer, LevelSpec(widths[-1], entering=coarsest.channels)],
        strides=find_strides(fields),
        skip=SKIPS[skip],
        decoder=decoder,
        gradient_checkpointing=gradient_checkpointing,
    )


def describe_levels(features: Sequence[Feature], in_channels: int) -> list[Feature]:
    """Return the fields of a network's levels: the encoder's, and the input unless one is as fine.

    Raises:
        ValueError: without a coarser field.
    """
    if not features or max(features[-1].spacing) == 1:
        raise ValueError("an encoder without a field that is coarser than its input; choose another")
    above = [] if max(features[0].spacing) == 1 else [Feature(in_channels, (1,) * len(features[0].spacing))]
    return [*above, *features]


def find_strides(levels: Sequence[Feature]) -> list[Sites]:
    """Return how much coarser each next level is, by axis."""
    return [tuple(b // a for a, b in zip(fine.spacing, coarse.spacing)) for fine, coarse in pairwise(levels)]
