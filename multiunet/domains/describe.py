"""Description of a model, level by level, and of its training in a few lines."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.core.receptive_field import receptive_field
from multiunet.domains.config import TrainConfig
from multiunet.domains.domain import Domain
from multiunet.domains.model import Model
from multiunet.domains.summary import summarise_network
from multiunet.geometries.grid.grid import Grid


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def summarise(domain: Domain[Any, Any, Any], config: TrainConfig, info: Any, model: Model) -> dict[str, str]:
    """Return the lines of a summary by what they are about: the domain's own, then the network's."""
    return {**domain.summarise(config, info), "network": summarise_network(config, model)}


def describe(model: Model, field: Any) -> dict[str, Any]:
    """Parameters, shapes by level, receptive field and halo on a grid, memory; for one input ``field``.

    A level's shape is that of what its blocks give: the encoder's, of the deepest level the bottleneck's. Of a network
    with blocks that look everywhere, receptive field and halo are those of all else.
    """
    net, geometry = model.net, model.geometry
    parameters = count_parameters(net)
    elements = 0
    bottom: list[Any] = []

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal elements
        elements += output.numel() if isinstance(output, Tensor) else 0

    hooks = [m.register_forward_hook(count) for m in net.modules() if not any(m.children())]
    # the network itself or, of one with something before or behind it, its part
    for unet in [m for m in net.modules() if isinstance(m, Encoder)][:1]:
        hooks.append(unet.bottleneck.register_forward_hook(lambda module, inputs, output: bottom.append(output)))
    with torch.no_grad():
        trail = net.encode(field)  # type: ignore[operator]
        output = net.decode(trail)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    described: dict[str, Any] = {
        "parameters": parameters,
        "input": list(geometry.features(field).shape),
        "levels": [list(geometry.features(level).shape) for level in (*trail.saved, *(bottom or [trail.bottom]))],
        "output": list(geometry.features(output).shape),
        "memory_mib": {
            "weights": _mib(parameters * 4),
            "activations_of_one_training_sample": _mib(elements * 4),
        },
    }
    if isinstance(geometry, Grid):
        seen = receptive_field(net)
        described |= {
            "receptive_field": list(seen.size),
            "halo": list(seen.radius),
            "stride": list(seen.tile_stride),
            "looks_everywhere": seen.everywhere is not None,
            "tiles_are_exact": seen.exact,
        }
    return described


def _mib(size: int) -> float:
    return math.ceil(size / 2**20 * 10) / 10
