"""Trivial baselines on the nodes of one graph."""

from __future__ import annotations

import numpy as np
import torch

from multiunet.domains.graph.baselines import Method, constant, perceptron
from multiunet.domains.graph.nodes.survey import Survey
from multiunet.tasks import Task


def methods(known: Survey, task: Task, seed: int) -> dict[str, Method]:
    """Fit methods that see no edges: the most frequent class, or the mean, and a perceptron on features."""
    train, val = (torch.from_numpy(np.flatnonzero(known.masks[split])) for split in ("train", "val"))
    name, level = constant(known.target[train], task)
    return {
        name: lambda x: level.expand(len(x), -1),
        "mlp": perceptron(known.field.x.to_dense(), known.target, train, val, task, seed),
    }
