"""Gradient checkpointing: it changes the memory of a training step and no bit of its gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from multiunet.core.condition import Condition
from multiunet.core.lazy import call_block
from multiunet.core.shared import Shared, is_hooked, sites_of

S = TypeVar("S")


@runtime_checkable
class Staged(Protocol):
    """Block whose ``forward`` is a chain of stages, ``(field, condition) -> field``.

    Recomputed one at a time, they take least memory.
    """

    def stages(self) -> Sequence[nn.Module]: ...


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


class _UpToBlock(nn.Module):
    """The way up to a level, the merge there, and the first of what follows."""

    def __init__(self, up: nn.Module, merge: nn.Module, first: nn.Module) -> None:
        super().__init__()
        self.up, self.merge, self.first = up, merge, first

    def forward(self, x: Any, skip: Any, condition: Condition | None) -> Any:
        return call_block(self.first, self.merge(self.up(x, sites_of(skip)), skip), condition)


def checkpoint_block(module: nn.Module, *inputs: Any) -> Any:
    """Return ``module(*inputs)``; its activations are dropped, and computed again in the backward pass.

    The first input may be a ``LazyConcat``. Chen et al. 2016, "Training deep nets with sublinear memory cost".
    Gradients, dropout masks and running statistics are those of the plain call, to the last bit.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(module)

    if not torch.is_grad_enabled():
        return call_block(module, *inputs)
    return checkpoint(call_block, module, *inputs, use_reentrant=False, context_fn=contexts)


def checkpoint_down(down: nn.Module, x: S) -> S:
    """Return ``down(x)``, recomputed where the operator says (``cheap_again``) that this is little work."""
    result: S = checkpoint_block(down, x) if getattr(down, "cheap_again", False) else down(x)
    return result


def checkpoint_up(
    up: nn.Module, merge: nn.Module, blocks: Iterable[nn.Module], x: S, skip: S | Shared[S], condition: Condition | None
) -> S:
    """Run the way up to a level, the merge with its skip, and its blocks, recomputed stage by stage.

    The finest of them are alive while memory is scarcest, at the begin of the backward pass: so the refined field is
    not kept, and no two convolutions' activations are there at once.
    """
    first, *rest = [stage for block in blocks for stage in stages_of(block)]
    x = checkpoint_block(_UpToBlock(up, merge, first), x, skip, condition)
    for stage in rest:
        x = checkpoint_block(stage, x, condition)
    return x


def stages_of(block: nn.Module) -> Sequence[nn.Module]:
    """Return the block's stages, recomputed one at a time.

    Where a subclass or a hook made the block more than their chain, it is one stage itself.
    """
    if not isinstance(block, Staged) or is_hooked(block):
        return [block]
    described = _first_with(type(block), "stages")
    return block.stages() if issubclass(described, _first_with(type(block), "forward")) else [block]


def _first_with(kind: type, name: str) -> type:
    """The class that an object of this kind has the method from."""
    return next(parent for parent in kind.__mro__ if name in vars(parent))
