"""Known classes that travel along edges: label propagation, and Correct & Smooth of given predictions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiunet.domains.graph.nodes.survey import Survey
from multiunet.geometries.graph.pyg_templates import removing_templates
from multiunet.memory import free_memory

STEPS = 50
"""Propagations along edges."""

LABELS_STAY, ERRORS_STAY, CLASSES_STAY = 0.9, 0.979, 0.756
"""Share that comes from neighbours in a step of label propagation, of correction and of smoothing: the last two are
those of Huang et al. 2021 on ogbn-arxiv."""

ARRAYS = 4
"""Arrays of edges times classes that a propagation holds."""


@dataclass(frozen=True)
class Known:
    """A graph of which some nodes have known classes.

    Attributes:
        edges: source and target, ``(2, edges)``.
        weight: of each edge, over the roots of both ends' degrees, ``(edges,)``.
        train: which nodes are known, ``(nodes,)``, bool.
        classes: one-hot classes of all nodes, ``(nodes, classes)``; only those of ``train`` are looked at.
    """

    edges: Tensor
    weight: Tensor
    train: Tensor
    classes: Tensor

    @classmethod
    def of(cls, known: Survey) -> Known:
        """Take the training nodes of a graph."""
        from torch_geometric.nn.conv.gcn_conv import gcn_norm  # costs seconds to import

        field, train = known.field, torch.from_numpy(known.masks["train"])
        edges, weight = gcn_norm(field.edge_index, field.weights(), len(field.x), add_self_loops=False)
        count = len(known.info.classes.names)
        classes = nn.functional.one_hot(known.target.clamp_min(0), count).float()
        return cls(edges, weight, train, classes)


def fits_memory(known: Survey) -> bool:
    """Return whether propagation along the edges of a graph fits into the free memory."""
    needed = 4 * ARRAYS * known.field.edge_index.shape[1] * len(known.info.classes.names)
    return needed < free_memory()


def propagate_labels(known: Known) -> Tensor:
    """Return probabilities of classes from the known ones and the edges alone, ``(nodes, classes)``.

    Zhu & Ghahramani 2002, as torch-geometric's ``LabelPropagation`` computes it. Where nothing arrives, the shares of
    the known classes.
    """
    from torch_geometric.nn import LabelPropagation

    with removing_templates():
        method = LabelPropagation(STEPS, LABELS_STAY)
    found = method(known.classes, known.edges, known.train, known.weight)
    return _as_probabilities(found, known.classes[known.train].mean(dim=0).expand_as(found))


def correct_and_smooth(known: Known, mean: Tensor) -> Tensor:
    """Return probabilities corrected by the errors at known nodes, then smoothed along edges.

    Huang et al. 2021, "Combining label propagation and simple models out-performs graph neural networks", as
    torch-geometric's ``CorrectAndSmooth`` computes it, with the scale of errors found by itself.

    Returns:
        ``(nodes, classes)``, rows sum to 1.

    Args:
        mean: predicted probabilities, ``(nodes, classes)``.
    """
    from torch_geometric.nn import CorrectAndSmooth

    with removing_templates():
        method = CorrectAndSmooth(STEPS, ERRORS_STAY, STEPS, CLASSES_STAY)
    truth = known.classes[known.train]
    corrected = method.correct(mean, truth, known.train, known.edges, known.weight)
    # of nodes that no error reaches the scale is 0 / 0
    corrected = torch.where(corrected.isfinite(), corrected, mean)
    return _as_probabilities(method.smooth(corrected, truth, known.train, known.edges, known.weight), mean)


def _as_probabilities(found: Tensor, otherwise: Tensor) -> Tensor:
    positive = found.clamp_min(0)
    total = positive.sum(dim=1, keepdim=True)
    return torch.where(total > 0, positive / total.clamp_min(torch.finfo(total.dtype).tiny), otherwise)
