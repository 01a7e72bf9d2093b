"""Batch normalisation of any number of sites."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from multiunet.geometries.channels_last import in_plane, lies_last


class _AnySites(_BatchNorm):
    """In training, fewer than two sites, which have no variance, are normalised by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() <= x.shape[1]:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class BatchNorm1d(_AnySites, nn.BatchNorm1d):
    """Batch normalisation of ``(N, C, sites)`` or ``(nodes, C)``; channels may lie last."""

    def forward(self, x: Tensor) -> Tensor:
        return in_plane(super().forward, x) if lies_last(x) else super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim != 4 or input.shape[2] != 1:  # not the plane that ``forward`` makes
            super()._check_input_dim(input)


class BatchNorm2d(_AnySites, nn.BatchNorm2d):
    """Batch normalisation of ``(N, C, H, W)``."""


class BatchNorm3d(_AnySites, nn.BatchNorm3d):
    """Batch normalisation of ``(N, C, D, H, W)``."""


BATCH_NORM: dict[int, Callable[..., nn.Module]] = {1: BatchNorm1d, 2: BatchNorm2d, 3: BatchNorm3d}
"""By number of axes."""
