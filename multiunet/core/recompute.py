"""Gradient checkpointing that changes memory and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from multiunet.core.condition import Condition

S = TypeVar("S")


@contextmanager
def _frozen_statistics(block: nn.Module) -> Iterator[None]:
    """Batch statistics were counted in the first pass; the second pass must not count them again."""
    counting = [module for module in block.modules() if isinstance(module, _NormBase) and module.training]
    kept = [dict(module._buffers) for module in counting]
    for module in counting:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, buffers in zip(counting, kept):
            module._buffers.update(buffers)


def recomputed(block: nn.Module, x: S, condition: Condition | None) -> S:
    """``block(x, condition)`` whose activations are dropped and computed again in the backward pass.

    Chen et al. 2016, "Training deep nets with sublinear memory cost". Gradients, dropout masks and running statistics
    are those of the plain call, to the last bit.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(block)

    if not torch.is_grad_enabled():
        result: S = block(x, condition)
        return result
    again: S = checkpoint(block, x, condition, use_reentrant=False, context_fn=contexts)
    return again
