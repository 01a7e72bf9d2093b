"""What can be said of graphs without their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.graph import baselines
from multiunet.domains.graph.sets.survey import Survey
from multiunet.geometries.graph.field import GraphField
from multiunet.tasks import Task


def trivial(known: Survey, task: Task, seed: int, fields: Sequence[GraphField]) -> dict[str, Tensor]:
    """By name what methods predict of graphs that see no edge, ``(rows, names)``; fitted to the training graphs."""
    free = torch.cat(structure_free(known, task, seed, fields))
    name, level = baselines.constant(torch.cat([known.targets[graph] for graph in known.members["train"]]), task)
    return {name: level.expand(len(free), -1), "structure_free": free}


def structure_free(known: Survey, task: Task, seed: int, fields: Sequence[GraphField] | None = None) -> list[Tensor]:
    """What a perceptron predicts of each graph, ``(rows, names)``, that knows the nodes but not their edges.

    It sees the sum of the features of a graph's nodes, as the baseline of Errica et al. 2020, "A fair comparison of
    graph neural networks for graph classification", and the sum's logarithm; of nodes it sees each one's own features.
    All are standardised.

    Args:
        fields: of the graphs; by default those ``known``.
    """
    seen = _of_nodes if known.facts["level"] == "node" else _summed
    train, val = (
        torch.cat([seen(known.fields[graph]) for graph in known.members[split]]) for split in ("train", "val")
    )
    mean, deviation = train.mean(dim=0), train.std(dim=0, correction=0).clamp_min(1e-6)
    both = np.concatenate([known.members["train"], known.members["val"]])
    x, target = (torch.cat([train, val]) - mean) / deviation, torch.cat([known.targets[graph] for graph in both])
    of_train, of_val = torch.arange(len(x)).split([len(train), len(val)])
    means = baselines.perceptron(x, target, of_train, of_val, task, seed, input_dropout=0.0)
    rows = [seen(field) for field in (known.fields if fields is None else fields)]
    return list(means((torch.cat(rows) - mean) / deviation).split([len(row) for row in rows]))


def _of_nodes(field: GraphField) -> Tensor:
    return field.x


def _summed(field: GraphField) -> Tensor:
    total = field.x.sum(dim=0, keepdim=True)
    return torch.cat([total, total.sign() * total.abs().log1p()], dim=1)
