"""Trivial baselines on many graphs, which see no edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.graph import baselines
from multiunet.domains.graph.sets.survey import Survey
from multiunet.geometries.graph.field import GraphField
from multiunet.tasks import Task

Method = Callable[[Sequence[GraphField]], list[Tensor]]
"""Graphs to the means of each, ``(rows, names)``; rows are one, or the graph's nodes."""


def methods(known: Survey, task: Task, seed: int) -> dict[str, Method]:
    """Fit methods to the training graphs: the most frequent class, or the mean, and ``structure_free``."""
    name, level = baselines.constant(torch.cat([known.targets[graph] for graph in known.members["train"]]), task)
    of_nodes = known.info.level == "node"
    return {
        name: lambda fields: [level.expand(len(field.x) if of_nodes else 1, -1) for field in fields],
        "structure_free": structure_free(known, task, seed),
    }


def structure_free(known: Survey, task: Task, seed: int) -> Method:
    """Fit a perceptron that knows the nodes but not their edges.

    It sees the sum of the features of a graph's nodes, as the baseline of Errica et al. 2020, "A fair comparison of
    graph neural networks for graph classification", and the sum's logarithm; of nodes it sees each one's own features.
    All are standardised.
    """
    seen = _of_nodes if known.info.level == "node" else _summed
    train, val = (
        torch.cat([seen(known.fields[graph]) for graph in known.members[split]]) for split in ("train", "val")
    )
    mean, deviation = train.mean(dim=0), train.std(dim=0, correction=0).clamp_min(1e-6)
    both = np.concatenate([known.members["train"], known.members["val"]])
    x, target = (torch.cat([train, val]) - mean) / deviation, torch.cat([known.targets[graph] for graph in both])
    of_train, of_val = torch.arange(len(x)).split([len(train), len(val)])
    means = baselines.perceptron(x, target, of_train, of_val, task, seed, input_dropout=0.0)

    def predict(fields: Sequence[GraphField]) -> list[Tensor]:
        rows = [seen(field) for field in fields]
        return list(means((torch.cat(rows) - mean) / deviation).split([len(row) for row in rows]))

    return predict


def _of_nodes(field: GraphField) -> Tensor:
    return field.x


def _summed(field: GraphField) -> Tensor:
    total = field.x.sum(dim=0, keepdim=True)
    return torch.cat([total, total.sign() * total.abs().log1p()], dim=1)
