"""Trivial baselines: predictions of nodes without their edges."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from multiunet.domains.graph.labels import UNKNOWN
from multiunet.seeds import derive
from multiunet.tasks import Task

WIDTH, EPOCHS = 64, 200


Method = Callable[[Tensor], Tensor]
"""Features ``(rows, columns)`` to means ``(rows, names)``."""


def constant(target: Tensor, task: Task) -> tuple[str, Tensor]:
    """Return the name and the constant ``(names,)``: the most frequent class, or the mean of quantities.

    Of several labels it is the share of the rows that have each.
    """
    if target.ndim > 1:
        return "frequency" if task.kind == "segmentation" else "mean", target.nanmean(dim=0)
    classes = len(task.names)
    most = torch.bincount(target[target != UNKNOWN], minlength=classes).argmax()
    return "majority", nn.functional.one_hot(most, classes).float()


def perceptron(
    x: Tensor, target: Tensor, train: Tensor, val: Tensor, task: Task, seed: int, input_dropout: float = 0.5
) -> Method:
    """A perceptron fitted to some rows.

    One hidden layer of 64 units, dropout 0.5, Adam, 200 steps; the step of least validation loss counts.

    Args:
        x, target: by row; what the task's loss takes.
        train, val: numbers of the rows of these splits.
        input_dropout: for bags of words; where there are few features each is needed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive("baseline", seed))
        net = nn.Sequential(
            nn.Dropout(input_dropout),
            nn.Linear(x.shape[1], WIDTH),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(WIDTH, task.channels),
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=5e-4)
        best, kept = float("inf"), copy.deepcopy(net.state_dict())
        for _ in range(EPOCHS):
            net.train()
            loss = task.loss(net(x[train]), target[train])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            net.eval()
            with torch.no_grad():
                score = float(task.loss(net(x[val]), target[val]))
            if score < best:
                best, kept = score, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)

    @torch.no_grad()
    def means(x: Tensor) -> Tensor:
        return task.distribution(net(x))[0]

    return means
