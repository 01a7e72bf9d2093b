"""Optimisers of the training loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from multiunet.training.recipe import Recipe


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the recipe's optimiser. It does not decay biases and norms: they have no scale to shrink.

    Parameters without gradients (``requires_grad_(False)``) stay as they are.
    """
    learnt = [p for p in net.parameters() if p.requires_grad]
    matrices, vectors = [p for p in learnt if p.ndim > 1], [p for p in learnt if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, momentum=0.99, nesterov=True, weight_decay=recipe.weight_decay)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
