"""What can be said of nodes without their edges."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.survey import Survey
from multiunet.seeds import derive
from multiunet.tasks import Task

WIDTH, EPOCHS = 64, 200


def majority(known: Survey) -> Tensor:
    """The most frequent class of the training nodes, for every node, ``(nodes,)``."""
    train = known.target[torch.from_numpy(known.masks["train"])]
    return torch.bincount(train[train != UNKNOWN]).argmax().expand(len(known.target))


def mean(known: Survey) -> Tensor:
    """The mean of each quantity over the training nodes, for every node, ``(nodes, quantities)``."""
    train = known.target[torch.from_numpy(known.masks["train"])]
    return train.nanmean(dim=0).expand(len(known.target), -1)


def perceptron(known: Survey, task: Task, seed: int) -> Tensor:
    """The means that a network which sees one node's features at a time predicts, ``(nodes, names)``."""
    train, val = (torch.from_numpy(np.flatnonzero(known.masks[split])) for split in ("train", "val"))
    return fitted_perceptron(known.field.x.to_dense(), known.target, train, val, task, seed)


def fitted_perceptron(
    x: Tensor, target: Tensor, train: Tensor, val: Tensor, task: Task, seed: int, input_dropout: float = 0.5
) -> Tensor:
    """The means that a perceptron predicts for all rows of ``x``, ``(rows, names)``.

    One hidden layer of 64 units, dropout 0.5, Adam, 200 steps; the step of least validation loss counts.

    Args:
        x, target: by row; what the task's loss takes.
        train, val: numbers of the rows of these splits.
        input_dropout: for bags of words; where there are few features each is needed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed))
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
    with torch.no_grad():
        return task.distribution(net(x))[0]
