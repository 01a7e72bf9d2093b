"""Attributes of edges: checked, and averaged where a graph becomes coarser."""

from __future__ import annotations

import torch
from torch import Tensor

from multiunet.geometries.graph.field import GraphField


def check_edge_attr(field: GraphField, count: int) -> Tensor:
    """Return the attributes of a field's edges, ``(edges, count)``.

    Raises:
        ValueError: when there is another number of them.
    """
    if field.edge_attr is None and not field.edge_index.shape[1]:
        return field.weights().new_zeros(0, count)
    found = 0 if field.edge_attr is None else field.edge_attr.shape[1]
    if field.edge_attr is None or found != count:
        raise ValueError(
            f"edges have {found} attributes, but the convolution reads {count}; make it with edge_features={found}"
        )
    return field.edge_attr


def pool_edge_attr(ends: Tensor, weight: Tensor, attributes: Tensor, edge_index: Tensor, nodes: int) -> Tensor:
    """Average, by weight, the attributes of the fine edges that became each coarse edge, ``(edges, K)``.

    A coarse edge that no fine edge became, such as one of two steps, has zeros.

    Args:
        ends: source and target of the fine edges as coarse nodes, ``(2, fine edges)``; -1 for nodes left out.
        weight: weights of the fine edges, ``(fine edges,)``, positive.
        attributes: attributes of the fine edges, ``(fine edges, K)``.
        edge_index: source and target of the coarse edges, ``(2, edges)``.
        nodes: number of coarse nodes.
    """
    wanted, place = torch.unique(edge_index[0] * nodes + edge_index[1], return_inverse=True)
    codes = (ends[0] * nodes + ends[1]).where((ends >= 0).all(dim=0), -1)
    found = torch.searchsorted(wanted, codes)
    same = torch.zeros_like(codes, dtype=torch.bool)
    inside = found < len(wanted)
    same[inside] = wanted[found[inside]] == codes[inside]
    found, share = found[same], weight[same].to(attributes)
    total = attributes.new_zeros(len(wanted), attributes.shape[1])
    total = total.index_add(0, found, attributes[same] * share[:, None])
    mass = share.new_zeros(len(wanted)).index_add(0, found, share)
    return (total / mass.clamp_min(torch.finfo(mass.dtype).tiny)[:, None])[place]
