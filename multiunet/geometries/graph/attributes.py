"""What becomes of the attributes of edges where a graph becomes coarser."""

from __future__ import annotations

import torch
from torch import Tensor


def carried(ends: Tensor, weight: Tensor, attributes: Tensor, edge_index: Tensor, nodes: int) -> Tensor:
    """The attributes of coarse edges: the mean, by weight, of those of all fine edges that became each of them.

    An edge that none became, such as one of two steps, has zeros.

    Args:
        ends: of the fine edges, as nodes of the coarse graph, ``(2, fine edges)``; -1 where that node is not there.
        weight, attributes: of the fine edges, ``(fine edges,)``, positive, and ``(fine edges, K)``.
        edge_index: of the coarse edges, ``(2, edges)``.
        nodes: of the coarse graph.
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
