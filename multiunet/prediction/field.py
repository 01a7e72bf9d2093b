"""Predictive moments of one field held in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Geometry
from multiunet.finite import check_outputs
from multiunet.prediction.ensemble import members, tasks_of
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration, Moments, Welford, dropouts, mc_dropout_sample

Watch = Callable[[int, Tensor], None]
"""Function that is called with the number of a Monte-Carlo sample and its mean."""


@torch.no_grad()
def predict_field(
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    field: Any,
    samples: int = 1,
    seed: int = 0,
    watch: Watch | None = None,
    condition: Condition | None = None,
    calibration: Calibration | None = None,
) -> Moments[Tensor]:
    """Predict the moments of a field, ``(N, len(task.names), *space)`` or ``(nodes, len(task.names))``.

    Args:
        net: has ``encode``, ``decode`` and ``prefix`` like ``UNet``; where the encoder has no dropout it runs once, and
            with ``share`` so does all else that is the same in every sample. Or an ``Ensemble`` of such; then each
            member's own task counts, and each gives ``samples``.
        samples: Monte-Carlo samples of a network; 1 is the deterministic network, whose epistemic variance is 0.
        seed: sample ``t`` uses masks seeded by ``(seed, t, layer)``: the same for every field, so that tiles agree.
        watch: sees each sample on its own.
        condition: the network's conditioning inputs, one row for each sample of the field's batch.
        calibration: correction of the moments; ``watch`` sees samples as they are.

    Raises:
        ValueError: when several samples are asked of a network without dropout; they would all be the same.
        Diverged: when an output or the prediction is not finite and the field is.
    """
    stream = Welford()
    inputs = (field,) if condition is None else (field, condition)
    for member, (part, its_task) in enumerate(zip(members(net), tasks_of(net, task))):
        for t, output in enumerate(_samples(part, geometry, inputs, samples, seed)):
            check_outputs([output], geometry.features(field))  # a probability may hide an infinite logit
            mean, variance = its_task.distribution(output)
            stream.add(mean, variance)
            if watch is not None:
                watch(member * samples + t, mean)
    moments = stream.moments()
    check_outputs((moments.mean, moments.epistemic, moments.aleatoric), geometry.features(field))
    return moments if calibration is None else calibration.apply(moments)


def _samples(
    net: nn.Module, geometry: Geometry[Any], inputs: tuple[Any, ...], samples: int, seed: int
) -> Iterator[Tensor]:
    if samples > 1 and not dropouts(net):
        raise ValueError(f"{samples} Monte-Carlo samples of a network without dropout are all the same; ask for 1")
    with evaluating(net):
        if samples == 1:
            yield geometry.features(net(*inputs))
            return
        encoded_once = not any(dropouts(part) for part in net.prefix())  # type: ignore[operator]
        share = getattr(net, "share", lambda trail: trail)
        trail = share(net.encode(*inputs)) if encoded_once else None  # type: ignore[operator]
        for t in range(samples):
            with mc_dropout_sample(net, seed, t):
                output = net.decode(trail if encoded_once else net.encode(*inputs), *inputs[1:])  # type: ignore[operator]
            yield geometry.features(output)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode; what of it was in training mode is so again afterwards."""
    learning = [module for module in net.modules() if module.training]
    if learning:  # of many small tiles, to say it to each module takes as long as the network
        net.eval()
    try:
        yield
    finally:
        for module in learning:
            module.training = True


def count_samples(net: nn.Module, samples: int) -> int:
    """Return how many samples ``predict_field`` draws when ``samples`` of each network are asked for."""
    return samples * len(members(net))
