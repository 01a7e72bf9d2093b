"""What can be said of graphs without their edges."""

from __future__ import annotations

import torch
from torch import Tensor

from multiunet.domains.graph.baselines import fitted_perceptron
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graphs.survey import Survey
from multiunet.tasks import Task


def constant(known: Survey, classes: int | None) -> Tensor:
    """The most frequent class of the training graphs as probability 1, or the mean of each quantity, ``(names,)``."""
    train = torch.cat([known.targets[graph] for graph in known.members["train"]])
    if classes is None:
        return train.nanmean(dim=0)
    most = torch.bincount(train[train != UNKNOWN], minlength=classes).argmax()
    return torch.nn.functional.one_hot(most, classes).float()


def structure_free(known: Survey, task: Task, seed: int) -> list[Tensor]:
    """What a perceptron predicts of each graph, ``(rows, names)``, that knows the nodes but not their edges.

    It sees the sum of the features of a graph's nodes, as the baseline of Errica et al. 2020, "A fair comparison of
    graph neural networks for graph classification", and the sum's logarithm; of nodes it sees each one's own features.
    All are standardised.
    """
    if known.facts["level"] == "node":
        x, rows = torch.cat([field.x for field in known.fields]), [len(field.x) for field in known.fields]
    else:
        total, rows = torch.stack([field.x.sum(dim=0) for field in known.fields]), [1] * len(known.fields)
        x = torch.cat([total, total.sign() * total.abs().log1p()], dim=1)
    ends = torch.tensor([0, *rows]).cumsum(0).tolist()
    train, val = (
        torch.cat([torch.arange(ends[graph], ends[graph + 1]) for graph in known.members[split]])
        for split in ("train", "val")
    )
    x = (x - x[train].mean(dim=0)) / x[train].std(dim=0, correction=0).clamp_min(1e-6)
    mean = fitted_perceptron(x, torch.cat(known.targets), train, val, task, seed, input_dropout=0.0)
    return list(mean.split(rows))
