"""Gradient checkpointing that changes memory and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

S = TypeVar("S")


@contextmanager
def _frozen_statistics(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Batch statistics were counted in the first pass; the second pass must not count them again."""
    modules = (module for part in parts for module in part.modules())
    counting = [module for module in modules if isinstance(module, _NormBase) and module.training]
    kept = [dict(module._buffers) for module in counting]
    for module in counting:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, buffers in zip(counting, kept):
            module._buffers.update(buffers)


def recomputed(run: Callable[..., S], parts: Sequence[nn.Module], *inputs: Any) -> S:
    """``run(*inputs)`` whose activations are dropped and computed again in the backward pass.

    Chen et al. 2016, "Training deep nets with sublinear memory cost". Gradients, dropout masks and running statistics
    are those of the plain call, to the last bit.

    Args:
        parts: the modules that ``run`` uses.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(parts)

    if not torch.is_grad_enabled():
        return run(*inputs)
    again: S = checkpoint(run, *inputs, use_reentrant=False, context_fn=contexts)
    return again
