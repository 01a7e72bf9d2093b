"""Outputs of a network in training, and their loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Encoder, Geometry
from multiunet.finite import check_outputs
from multiunet.tasks import Objective
from multiunet.training.data import Sample


def supervised_outputs(net: nn.Module, batch: Sample[Any]) -> tuple[Any, ...]:
    """Compute all outputs that are compared with the target: those of deep supervision too, finest first.

    A network of one's own needs a second argument only where the batch has a condition.
    """
    inputs = (batch.field,) if batch.condition is None else (batch.field, batch.condition)
    if getattr(net, "deep_supervision", 0) > 0:
        outputs: tuple[Any, ...] = net.outputs(*inputs)  # type: ignore[operator]
        return outputs
    return (net(*inputs),)


def supervised_loss(
    net: nn.Module, task: Objective, geometry: Geometry[Any], outputs: Sequence[Any], batch: Sample[Any]
) -> Tensor:
    """Return the loss of a network's outputs plus the network's own penalty, a scalar.

    The loss of several outputs is their weighted mean; each has half the weight of the next finer one.
    """
    penalty = geometry.penalty(outputs[0])
    loss = _mean_loss(net, task, geometry, outputs, batch)
    return loss if penalty is None else loss + penalty


def _mean_loss(
    net: nn.Module, task: Objective, geometry: Geometry[Any], outputs: Sequence[Any], batch: Sample[Any]
) -> Tensor:
    if len(outputs) == 1:
        return task.loss(geometry.features(outputs[0]), batch.target, batch.weight)
    deep: Encoder[Any] = net  # type: ignore[assignment]
    targets = deep.at_outputs(batch.target, outputs)
    weights = [None] * len(outputs) if batch.weight is None else deep.at_outputs(batch.weight, outputs)
    total, shares = torch.zeros((), device=batch.target.device), 0.0
    for level, (output, at_target, at_weight) in enumerate(zip(outputs, targets, weights)):
        total = total + 0.5**level * task.loss(geometry.features(output), at_target, at_weight)
        shares += 0.5**level
    return total / shares


@contextmanager
def watch_outputs(net: nn.Module, geometry: Geometry[Any]) -> Iterator[None]:
    """Raise ``Diverged`` where the network's output is not finite, which scores may hide."""

    def check(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        check_outputs([geometry.features(output)], geometry.features(inputs[0]))

    handle = net.register_forward_hook(check)
    try:
        yield
    finally:
        handle.remove()
