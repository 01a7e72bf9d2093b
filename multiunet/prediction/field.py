"""Predictive moments of one field held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.tasks import Task
from multiunet.uncertainty import Moments, Welford, dropouts, thinned

Watch = Callable[[int, Tensor], None]
"""Called with the number of a Monte-Carlo sample and its mean."""


@torch.no_grad()
def predict_field(
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    field: Any,
    samples: int = 1,
    seed: int = 0,
    watch: Watch | None = None,
) -> Moments[Tensor]:
    """The predictive moments of a field, ``(N, len(task.names), *space)`` or ``(nodes, len(task.names))``.

    Args:
        net: has ``encode``, ``decode`` and ``prefix`` like ``UNet``; the encoder runs once where it has no dropout.
        samples: Monte-Carlo samples; 1 is the deterministic network, whose epistemic variance is 0.
        seed: sample ``t`` uses masks seeded by ``(seed, t, layer)``: the same for every field, so that tiles agree.
        watch: sees each sample on its own.

    Raises:
        ValueError: when several samples are asked of a network without dropout; they would all be the same.
    """
    if samples > 1 and not dropouts(net):
        raise ValueError(f"{samples} Monte-Carlo samples of a network without dropout are all the same; ask for 1")
    was_training = net.training
    net.eval()
    stream = Welford()

    def add(t: int, output: Any) -> None:
        mean, variance = task.distribution(geometry.features(output))
        stream.add(mean, variance)
        if watch is not None:
            watch(t, mean)

    try:
        if samples == 1:
            add(0, net(field))
            return stream.moments()
        encoded_once = not any(dropouts(part) for part in net.prefix())  # type: ignore[operator]
        trail = net.encode(field) if encoded_once else None  # type: ignore[operator]
        for t in range(samples):
            with thinned(net, seed, t):
                add(t, net.decode(trail if encoded_once else net.encode(field)))  # type: ignore[operator]
        return stream.moments()
    finally:
        net.train(was_training)
