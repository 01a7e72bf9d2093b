"""What networks say of graphs, and how sure they are."""

from __future__ import annotations

import torch
from torch import Tensor

from multiunet.domains.domain import Model
from multiunet.geometries.graph.field import GraphField
from multiunet.prediction import predict_field
from multiunet.uncertainty import Moments, dropouts


def moments_of(model: Model, field: GraphField, device: torch.device, samples: int, seed: int) -> Moments[Tensor]:
    """Of each node, or of each graph, ``(rows, names)``, on the CPU; of a network without dropout from one sample."""
    net = model.net.to(device)
    samples = samples if dropouts(net) else 1  # all would be the same
    found = predict_field(net, model.task, model.geometry, field.to(device), samples, seed)
    return Moments(found.mean.cpu(), found.epistemic.cpu(), found.aleatoric.cpu())
