"""Trivial baselines on the nodes of one graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.graph.baselines import Method, constant, perceptron
from multiunet.domains.graph.nodes.propagation import Known, correct_and_smooth, fits_memory, propagate_labels
from multiunet.domains.graph.nodes.survey import Survey
from multiunet.domains.remarks import remark
from multiunet.geometries.graph.field import GraphField
from multiunet.tasks import Task

NodeMethod = Callable[[GraphField], Tensor | None]
"""Graph to the means of its nodes, ``(nodes, names)``; None where only the graph trained on can be predicted."""


def methods(known: Survey, task: Task, seed: int) -> dict[str, NodeMethod]:
    """Fit trivial methods.

    Without edges: the most frequent class, or the mean, and a perceptron on features (``mlp``). Of classes also
    without a network of graphs: ``label_propagation`` along edges, and ``correct_and_smooth``, the perceptron corrected
    by it; these know the graph of the training alone.
    """
    train, val = (torch.from_numpy(np.flatnonzero(known.masks[split])) for split in ("train", "val"))
    name, level = constant(known.target[train], task)
    mlp = perceptron(known.field.x.to_dense(), known.target, train, val, task, seed)
    found: dict[str, NodeMethod] = {
        name: lambda field: level.expand(len(field.x), -1),
        "mlp": lambda field: mlp(field.x.to_dense()),
    }
    if known.info.target.kind != "classes":
        return found
    if not fits_memory(known):
        remark(
            f"{known.graph.path}: labels are not propagated, its edges times classes do not fit into the free memory"
        )
        return found
    return found | _along_edges(known, mlp)


def _along_edges(known: Survey, mlp: Method) -> dict[str, NodeMethod]:
    labels = Known.of(known)

    def own(predict: Callable[[], Tensor]) -> NodeMethod:
        return lambda field: predict() if field is known.field else None

    return {
        "label_propagation": own(lambda: propagate_labels(labels)),
        "correct_and_smooth": own(lambda: correct_and_smooth(labels, mlp(known.field.x.to_dense()))),
    }
