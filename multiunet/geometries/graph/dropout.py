"""Dropout of features, edges and nodes; a Monte-Carlo sample drops the same of a graph in any batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from multiunet.core import Dropout
from multiunet.geometries.graph.field import GraphField


class FeatureDropout(nn.Module):
    """Drop features, ``field -> field``: each node its own, or the same at all nodes of a graph.

    Args:
        p: probability that a feature is dropped, in [0, 1).
        whole_channels: drop a feature at all nodes of a graph together.
    """

    def __init__(self, p: float, whole_channels: bool = False) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels)

    def forward(self, field: GraphField) -> GraphField:
        x, whole = field.x, self.dropout.whole_channels
        # a row of the mask for each graph
        by_graph = self.dropout(torch.ones(field.graphs, x.shape[1], dtype=x.dtype, device=x.device)) if whole else None
        if not x.is_sparse:
            return replace(field, x=self.dropout(x) if by_graph is None else x * by_graph[field.batch])
        x = x.coalesce()
        # dropping a zero changes nothing: only what a sparse tensor holds needs a mask
        node, channel = x.indices()
        kept = self.dropout(x.values()) if by_graph is None else x.values() * by_graph[field.batch[node], channel]
        x = torch.sparse_coo_tensor(x.indices(), kept, x.shape, is_coalesced=True, check_invariants=False)
        return replace(field, x=x)


class EdgeDropout(nn.Module):
    """Drop edges, ``(field, values of edges) -> values``, with 0 for the dropped ones.

    Rong et al. 2020, "DropEdge".

    Args:
        p: probability that an edge is dropped, in [0, 1).
        by_graph: a sample of Monte-Carlo dropout drops the same edges of a graph, whatever graphs share the batch.
    """

    def __init__(self, p: float, by_graph: bool) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels=False)
        self.by_graph = by_graph

    def forward(self, field: GraphField, values: Tensor) -> Tensor:
        if self.dropout.key is None or not self.by_graph:
            return self.dropout(values)  # type: ignore[no-any-return]
        source, target = field.edge_index
        # by their ends: in which order edges come may depend on how many there are. Nodes are in the order of graphs
        order = torch.argsort(target * len(field.batch) + source, stable=True)
        graph = field.batch[target]
        counts = torch.bincount(graph, minlength=field.graphs)
        number = torch.arange(len(graph), device=graph.device)
        place = torch.empty_like(order).index_copy(0, order, number - (counts.cumsum(0) - counts)[graph[order]])
        # one mask for the first edges of all graphs, long enough for the largest: a longer one begins alike
        mask: Tensor = self.dropout(values.new_ones(int(counts.max())))
        return values * mask[place]


class NodeDropout(nn.Module):
    """Drop all that a node sends, ``(field, features) -> mask`` (Feng et al. 2020, "GRAND": DropNode).

    The mask, ``(nodes, 1)``, has the features' type and is 0 for dropped nodes.

    Args:
        p: probability that a node is dropped, in [0, 1).
        by_graph: a sample of Monte-Carlo dropout drops the same nodes of a graph, whatever graphs share the batch.
    """

    def __init__(self, p: float, by_graph: bool) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels=False)
        self.by_graph = by_graph

    def forward(self, field: GraphField, features: Tensor) -> Tensor:
        ones = torch.ones(len(field.batch), 1, dtype=features.dtype, device=features.device)
        if self.dropout.key is None or not self.by_graph:
            return self.dropout(ones)  # type: ignore[no-any-return]
        counts = torch.bincount(field.batch, minlength=field.graphs)
        place = torch.arange(len(ones), device=ones.device) - (counts.cumsum(0) - counts)[field.batch]
        mask: Tensor = self.dropout(ones[: int(counts.max())])
        return mask[place]
