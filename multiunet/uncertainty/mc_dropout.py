"""Monte-Carlo dropout (Gal & Ghahramani 2016): dropout on, everything else frozen."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from multiunet.core import Dropout
from multiunet.seeds import derive

TORCH_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""Dropout layers of torch, whose masks cannot be fixed by a key."""


def dropouts(net: nn.Module) -> list[Dropout]:
    """Return the network's active dropout layers, in a fixed order.

    Those of torch itself have no key and cannot be sampled: a warning says so where there are any. Dropout inside other
    layers' own functions (that of attention in torch-geometric) goes unseen.
    """
    foreign = [module for module in net.modules() if isinstance(module, TORCH_DROPOUTS) and module.p > 0]
    if foreign:
        warnings.warn(
            f"{len(foreign)} {type(foreign[0]).__name__} layers of torch are never sampled: their masks have no key; "
            "put multiunet.core.Dropout in their place",
            stacklevel=2,
        )
    return [module for module in net.modules() if isinstance(module, Dropout) and module.p > 0]


@contextmanager
def mc_dropout_sample(net: nn.Module, seed: int, sample: int) -> Iterator[None]:
    """Make ``net`` Monte-Carlo sample number ``sample`` inside the context: fixed dropout masks.

    The network is in evaluation mode and stays in it, so no buffer moves. A layer's mask is that of its key,
    ``(seed, sample, layer)``.

    Raises:
        ValueError: for a network in training mode.
    """
    if net.training:
        raise ValueError("a sample of a network in training mode would move its norms' statistics; call net.eval()")
    layers = dropouts(net)
    for index, layer in enumerate(layers):
        layer.key = derive("mask", seed, sample, index)
    try:
        yield
    finally:
        for layer in layers:
            layer.key = None
