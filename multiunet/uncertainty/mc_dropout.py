"""Monte-Carlo dropout (Gal & Ghahramani 2016): dropout on, everything else frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from multiunet.core import Dropout
from multiunet.seeds import derive


def dropouts(net: nn.Module) -> list[Dropout]:
    """The network's active dropout layers, in a fixed order."""
    return [module for module in net.modules() if isinstance(module, Dropout) and module.p > 0]


@contextmanager
def thinned(net: nn.Module, seed: int, sample: int) -> Iterator[None]:
    """Within it, ``net`` is Monte-Carlo sample number ``sample``: each dropout layer's mask is fixed by its key.

    The network must be in evaluation mode and stays in it, so no buffer moves. The key is ``(seed, sample, layer)``.
    """
    layers = dropouts(net)
    for index, layer in enumerate(layers):
        layer.key = derive("mask", seed, sample, index)
    try:
        yield
    finally:
        for layer in layers:
            layer.key = None
