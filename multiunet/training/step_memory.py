"""Memory that a training step takes, found without running it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from multiunet.core import Condition, Geometry
from multiunet.device import unfolded_by_torch
from multiunet.memory import LiveTensors
from multiunet.tasks import Opponent, Task
from multiunet.training.data import Sample
from multiunet.training.supervision import supervised_loss, supervised_outputs

LIBRARY_MEMORY = 50 << 20
"""Bytes that torch and oneDNN take when they first compute: code, threads, kernels made for the shapes at hand."""

LOST_BLOCKS = 2
"""Blocks of the largest tensor's size that an allocator loses to holes too small for what comes next: measured with
glibc that keeps freed blocks, as the command line has it (``benchmarks/memory.py``)."""

OPTIMIZER_SLOTS = {"adamw": 2, "adam": 2, "sgd": 1}
"""Numbers that an optimiser keeps for each parameter."""


def step_memory(
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    batch: Sample[Tensor],
    *,
    bf16: bool,
    copies: int,
    cpu: bool,
    opponent: Opponent | None = None,
) -> int:
    """Return the bytes that training takes beyond what the process has before.

    They are those of the weights, of the optimiser and of a step at its worst moment.

    Forward and backward pass run on tensors that have shapes and no data, so it takes the same second for any size. The
    network is left as it is.

    Args:
        batch: of the shapes and types of training; its values do not matter, and may not be there (``device="meta"``).
        bf16: whether the forward pass computes in it.
        copies: of the parameters that training keeps besides them: the optimiser's moments, a moving average.
        cpu: whether the CPU computes: oneDNN then copies what is not channels-last.
        opponent: network that trains with it, by Adam; None: there is none.
    """
    kept = copies * _count_bytes(net) + (
        0 if opponent is None else OPTIMIZER_SLOTS["adam"] * _count_bytes(opponent.net)
    )
    nets = [net] if opponent is None else [net, opponent.net]
    mode = FakeTensorMode(allow_non_fake_inputs=True)  # what a loss holds, such as scales of targets
    step = _Step(cpu)
    with ExitStack() as faked:
        for one in nets:
            faked.enter_context(_faked(one, mode))
        faked.enter_context(mode)
        faked.enter_context(step)
        for parameter in (parameter for one in nets for parameter in one.parameters()):
            step.note(parameter)
        sample = _empty_like(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs = supervised_outputs(net, sample)
        outputs = tuple(output.float() for output in outputs)
        loss = supervised_loss(net, task, geometry, outputs, sample)
        if opponent is not None:
            loss = loss + _oppose(opponent, outputs[0], sample, bf16)
        loss.backward()
    return LIBRARY_MEMORY + step.most + LOST_BLOCKS * step.largest + kept


def _count_bytes(net: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in net.parameters())


def _oppose(opponent: Opponent, output: Tensor, batch: Sample[Tensor], bf16: bool) -> Tensor:
    """Return the term of an opponent, which has learnt from the batch."""
    match = opponent.match(batch.field, output, batch.target, batch.weight)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        term = opponent.fool(opponent.net, match)
        own = opponent.judge(opponent.net, match)
    own.backward()
    return term


def _empty_like(batch: Sample[Tensor]) -> Sample[Tensor]:
    """Return a batch of the same shapes and types, made in the mode at hand."""

    def empty(tensor: Tensor | None) -> Any:
        return None if tensor is None else torch.empty(tensor.shape, dtype=tensor.dtype)

    given = batch.condition
    condition = None if given is None else Condition(**{name: empty(part) for name, part in vars(given).items()})
    return Sample(empty(batch.field), empty(batch.target), empty(batch.weight), condition)


@contextmanager
def _faked(net: nn.Module, mode: FakeTensorMode) -> Iterator[None]:
    """Put the network in training with parameters and statistics that have no data."""
    # no public function puts a tensor in place of a parameter
    slots = [slot for module in net.modules() for slot in (module._parameters, module._buffers)]
    kept = [dict(slot) for slot in slots]
    training = net.training
    try:
        for slot in slots:
            slot.update({name: None if t is None else mode.from_tensor(t) for name, t in slot.items()})  # type: ignore[misc]
        net.train()
        yield
    finally:
        for slot, tensors in zip(slots, kept):
            slot.update(tensors)  # type: ignore[arg-type]
        net.train(training)


class _Step(LiveTensors):
    """Counter of a step on tensors without data, with what convolutions take for themselves on the CPU."""

    def __init__(self, cpu: bool) -> None:
        super().__init__()
        self.cpu = cpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten = torch.ops.aten
        if func is aten._local_scalar_dense.default:
            return 0  # what depends on data, such as checks of labels, finds nothing
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if self.cpu and func is aten.convolution.default:
            self.passing(_workspace(args[0], args[1], result, backward=False))
        if self.cpu and func is aten.convolution_backward.default:
            self.passing(_workspace(args[1], args[2], args[0], backward=True))
        return result


def _workspace(x: Tensor, weight: Tensor, y: Tensor, backward: bool) -> int:
    """Return the bytes that a convolution on the CPU takes for itself and gives back."""
    kernel = math.prod(weight.shape[2:])
    if unfolded_by_torch(x) and x.dtype == torch.float32:
        return 4 * x.shape[1] * kernel * math.prod(y.shape[2:])
    last = x.ndim == 4 and x.shape[1] > 1 and x.is_contiguous(memory_format=torch.channels_last)
    if last or kernel == 1:
        return 0
    sizes = [t.numel() * t.element_size() for t in (x, y)]
    # into oneDNN's blocked layout and back
    return sum(sizes) if backward else max(sizes)
