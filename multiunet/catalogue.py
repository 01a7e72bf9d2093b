"""The networks of images and volumes by name, and the channels of their papers. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

ModelName = Literal[
    "image_unet",
    "unet2015",
    "unet3d",
    "vnet",
    "attention_unet",
    "residual_unet",
    "unet_plus_plus",
    "depthwise_unet",
    "nnunet_plain",
    "swin_unetr",
    "mednext",
]

CHANNELS: dict[ModelName, tuple[int, ...]] = {
    "image_unet": (32, 32, 64, 128, 256),
    "unet2015": (64, 128, 256, 512, 1024),
    "unet3d": (64, 128, 256, 512),
    "vnet": (16, 32, 64, 128, 256),
    "attention_unet": (16, 32, 64, 128, 256),
    "residual_unet": (32, 64, 128, 256, 512),
    "unet_plus_plus": (32, 64, 128, 256, 512),
    "depthwise_unet": (32, 64, 128, 256, 512),
    "nnunet_plain": (32, 64, 128, 256, 320, 320),
    "swin_unetr": (24, 24, 48, 96, 192, 384),
    "mednext": (32, 64, 128, 256, 512),
}
"""Channels by level, finest first."""

PADDED = ("unet2015", "unet3d")
"""Networks whose papers lose the border; they also come with ``padding="same"``, which keeps it."""


def find_network(name: ModelName) -> Callable[..., Any]:
    """Return the function that builds the network, of that name.

    Its arguments are ``(ndim, in_channels, out_channels, channels, *, strides, dropout, gradient_checkpointing, ...)``.

    >>> find_network("vnet").__name__
    'vnet'
    """
    builder: Callable[..., Any] = getattr(import_module("multiunet.models"), name)
    return builder
