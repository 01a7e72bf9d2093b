"""Networks over encoders of timm, as settings of images name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from multiunet.core import UNet
from multiunet.domains.image.config import ImageTrain
from multiunet.errors import InputError
from multiunet.models.encoder_unet import Feature, describe_levels, encoder_unet
from multiunet.models.timm_encoder import TimmPyramid, check_weights, find_features, load_weights

NARROWEST, WIDEST = 32, 256
"""Channels of the decoder's levels, fewest and most; in between 16 for each pixel that a level's sites lie apart."""


def find_levels(config: ImageTrain) -> list[Feature]:
    """Return the fields of the levels that the encoder makes possible, finest first.

    Raises:
        InputError: for an encoder that timm does not have, or that is of no use here, or without timm.
    """
    with _naming(f"encoder={config.encoder}"):
        return describe_levels(find_features(_name(config)), in_channels=1)


def choose_widths(levels: list[Feature]) -> list[int]:
    """Return the channels of the decoder on these levels."""
    return [min(WIDEST, max(NARROWEST, 16 * max(one.spacing))) for one in levels]


def build_encoder_unet(config: ImageTrain, in_channels: int, out_channels: int) -> UNet[Tensor]:
    """Build the network over the encoder that the settings name; each width takes one field.

    Raises:
        InputError: see ``find_levels``.
    """
    widths, levels = config.levels(), find_levels(config)
    with _naming(f"encoder={config.encoder}"):
        above = len(levels) - len(find_features(_name(config)))  # the image itself, or none
        pyramid = TimmPyramid(_name(config), in_channels, len(widths) - above)
        return encoder_unet(
            pyramid,
            out_channels,
            widths,
            normalization=config.normalization,
            residual=config.residual,
            skip=config.skip,
            dropout=config.dropout,
            gradient_checkpointing=config.gradient_checkpointing,
        )


def check_encoder_weights(config: ImageTrain) -> None:
    """Check that the encoder's weights are there, if the settings name any.

    Raises:
        InputError: where they are not.
    """
    if config.encoder_weights is not None:
        find_levels(config)
        with _naming(f"encoder_weights={config.encoder_weights}"):
            check_weights(_name(config), config.encoder_weights)


def begin_encoder(net: nn.Module, config: ImageTrain) -> str:
    """Give the encoder of a new network the weights that the settings name; say so in words.

    Raises:
        InputError: for weights that are not there, or do not fit.
    """
    if config.encoder_weights is None:
        return ""
    pyramid = next(module for module in net.modules() if isinstance(module, TimmPyramid))
    with _naming(f"encoder_weights={config.encoder_weights}"):
        load_weights(pyramid, config.encoder_weights)
    count = sum(one.numel() for one in pyramid.parameters())
    return f"the encoder {config.encoder} begins with the weights of {config.encoder_weights}: {count:,} parameters"


def _name(config: ImageTrain) -> str:
    assert config.encoder is not None
    return config.encoder


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Say which setting an error is of."""
    try:
        yield
    except (ValueError, ImportError) as error:
        raise InputError(f"`{setting}`: {error}") from None
