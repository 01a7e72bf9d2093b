"""Running statistics of norms over the parts of a step, wherever each part is computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from multiunet.errors import InputError


class PartStatistics:
    """Running statistics of networks' norms, in steps of several parts.

    Each part finds the statistics as they were before the step, and what the parts change is applied in their order
    after it. So it does not matter which process computes which part. The update of a norm is affine: ``k`` updates
    with momentum ``m`` take ``r`` to ``(1 - m)^k r + b``, and ``k`` and ``b`` of each part are enough.

    Args:
        nets: networks whose norms count.

    Attributes:
        size: numbers that say what one part changes.

    Raises:
        InputError: for a norm without momentum, whose average is of all batches alike.
    """

    def __init__(self, nets: Iterable[nn.Module]) -> None:
        modules = [module for net in nets for module in net.modules()]
        self._norms = [one for one in modules if isinstance(one, _NormBase) and one.running_mean is not None]
        if any(norm.momentum is None for norm in self._norms):
            raise InputError(
                "a norm of this network has no momentum, so that its statistics cannot be gathered from the parts of a "
                "step; give it one, or train with `accumulate=1`"
            )
        self._widths = [2 * norm.num_features for norm in self._norms]
        self.size = len(self._norms) + sum(self._widths)
        self._before: list[tuple[Tensor, ...]] = []

    @torch.no_grad()
    def begin(self) -> None:
        """Remember the statistics before the step."""
        self._before = [tuple(one.clone() for one in _buffers(norm)) for norm in self._norms]

    @torch.no_grad()
    def take(self) -> Tensor:
        """Return what the part that has just been computed changed, ``(size,)``, and undo it."""
        counts, shifts = [], []
        for norm, before in zip(self._norms, self._before):
            count = int(norm.num_batches_tracked) - int(before[2])  # type: ignore[arg-type]
            kept = _share_kept(norm, count)
            counts.append(float(count))
            shifts += [_exact(now) - kept * _exact(old) for now, old in zip(_buffers(norm)[:2], before)]
            for now, old in zip(_buffers(norm), before):
                now.copy_(old)
        return torch.cat([torch.tensor(counts, dtype=torch.float64), *shifts])

    @torch.no_grad()
    def apply(self, changes: Tensor) -> None:
        """Apply what the parts changed, ``(parts, size)``, in their order."""
        counts, shifts = changes[:, : len(self._norms)], changes[:, len(self._norms) :].split(self._widths, dim=1)
        for norm, before, own, shift in zip(self._norms, self._before, counts.T, shifts):
            value = torch.cat([_exact(old) for old in before[:2]])
            for count, one in zip(own.tolist(), shift):
                value = _share_kept(norm, int(count)) * value + one
            mean, var, batches = _buffers(norm)
            mean.copy_(value[: norm.num_features])
            var.copy_(value[norm.num_features :])
            batches += int(own.sum())


def _buffers(norm: _NormBase) -> tuple[Tensor, Tensor, Tensor]:
    mean, var, count = norm.running_mean, norm.running_var, norm.num_batches_tracked
    return cast(Tensor, mean), cast(Tensor, var), cast(Tensor, count)


def _share_kept(norm: _NormBase, updates: int) -> float:
    """Return the share of the statistics that so many updates leave."""
    return (1 - float(norm.momentum or 0.0)) ** updates


def _exact(numbers: Tensor) -> Tensor:
    return numbers.detach().cpu().double()
