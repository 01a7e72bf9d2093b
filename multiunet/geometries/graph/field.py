"""Fields of a U-Net on graphs: features on nodes, edges between them, several graphs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from multiunet.geometries.graph.links import Links


@dataclass(eq=False)  # not frozen: lightning-fabric refuses to walk through frozen dataclasses
class GraphField:
    """A batch of graphs as one disjoint union.

    Attributes:
        x: features, ``(nodes, channels)``; of an input they may be a sparse COO tensor (bags of words).
        edge_index: source and target node of each directed edge, ``(2, edges)``, int64; an undirected edge is two.
        batch: number of the graph that each node belongs to, ``(nodes,)``, int64, ascending.
        edge_weight: weight of each edge, ``(edges,)``; None: all 1.
        graphs: number of graphs.
        parent: in a pooled graph, the number of each node in the finer graph, ``(nodes,)``; for a merged node the first
            of those that it was made of; None for an input.
        cluster: in a merged graph, the node that each node of the finer graph went into, ``(finer nodes,)``.
        shares: in a graph of soft clusters, the share of each finer node in each cluster of its graph,
            ``(finer nodes, clusters)``.
        edge_attr: attributes of each edge beside its weight, ``(edges, K)``; None: none.
        penalty: sum of the penalties that pools on the way to this field add to the loss, a scalar; None: none.
    """

    x: Tensor
    edge_index: Tensor
    batch: Tensor
    edge_weight: Tensor | None = None
    graphs: int = 1
    parent: Tensor | None = None
    cluster: Tensor | None = None
    shares: Tensor | None = None
    edge_attr: Tensor | None = None
    penalty: Tensor | None = None
    _links: Links | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, edge_attr: Tensor | None = None
    ) -> GraphField:
        """Make a field of one graph.

        Args:
            x: features, ``(nodes, channels)``.
            edge_index: source and target of each edge, ``(2, edges)``, int64.
            edge_weight: weight of each edge, ``(edges,)``; None: all 1.
            edge_attr: attributes of each edge, ``(edges, K)``; None: none.

        Raises:
            ValueError: when shapes or types do not fit, or an edge names a node that is not there.
        """
        nodes = x.shape[0]
        if x.ndim != 2 or edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype != torch.int64:
            raise ValueError(
                f"x {tuple(x.shape)} and edge_index {tuple(edge_index.shape)} {edge_index.dtype} "
                "must be (nodes, channels) and (2, edges) of int64"
            )
        if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < nodes:
            raise ValueError(
                f"edge_index names nodes {int(edge_index.min())}..{int(edge_index.max())} of {nodes} nodes"
            )
        if edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
            raise ValueError(
                f"edge_weight {tuple(edge_weight.shape)} must be ({edge_index.shape[1]},), one for each edge"
            )
        if edge_attr is not None and (edge_attr.ndim != 2 or edge_attr.shape[:1] != edge_index.shape[1:]):
            raise ValueError(
                f"edge_attr {tuple(edge_attr.shape)} must be ({edge_index.shape[1]}, K), a row for each edge"
            )
        return cls(x, edge_index, edge_index.new_zeros(nodes), edge_weight, edge_attr=edge_attr)

    @classmethod
    def from_torch_geometric(cls, data: Any) -> GraphField:
        """Take over a ``torch_geometric.data.Data`` or a ``Batch`` of them.

        Read are ``x``, ``edge_index`` and, where they are given, ``edge_weight`` and ``edge_attr``.

        Raises:
            ValueError: when shapes do not fit (see ``of``), ``x`` is missing or not of floating point, or the nodes of
                a batch are not in the order of their graphs.
        """
        if data.x is None:
            raise ValueError("the graph has no features x; give it some, e.g. a constant or the degrees of the nodes")
        if not data.x.is_floating_point():
            raise ValueError(
                f"the features x are {data.x.dtype}: turn categories into one channel each, and counts into x.float()"
            )
        attributes = getattr(data, "edge_attr", None)
        if attributes is not None and attributes.ndim == 1:
            attributes = attributes[:, None]
        made = cls.of(data.x, data.edge_index, getattr(data, "edge_weight", None), attributes)
        batch = getattr(data, "batch", None)
        if batch is None:
            return made
        if bool((batch[1:] < batch[:-1]).any()):
            raise ValueError("batch must ascend: the nodes of a graph follow each other")
        counted = int(batch[-1]) + 1 if len(batch) else 1
        # a Batch knows of graphs without nodes
        return replace(made, batch=batch, graphs=int(getattr(data, "num_graphs", counted)))

    @classmethod
    def from_networkx(cls, graph: Any, features: Sequence[str]) -> GraphField:
        """Take over a NetworkX graph, its nodes in its own order; an undirected edge becomes two.

        Args:
            features: names of the numeric node attributes that become channels.

        Raises:
            ValueError: when a node lacks one of them, or some edges have a ``weight`` and others none.
        """
        number = {node: place for place, node in enumerate(graph)}
        lacking = [(node, name) for node, given in graph.nodes(data=True) for name in features if name not in given]
        if lacking:
            raise ValueError(f"node {lacking[0][0]!r} has no attribute {lacking[0][1]!r}")
        directed = graph if graph.is_directed() else graph.to_directed()
        ends = [(number[source], number[target]) for source, target in directed.edges()]
        weights = [given.get("weight") for _, _, given in directed.edges(data=True)]
        weighted = any(weight is not None for weight in weights)
        if weighted and None in weights:
            raise ValueError("some edges have a weight and others none; give each one")
        x = torch.tensor([[float(given[name]) for name in features] for _, given in graph.nodes(data=True)])
        edge_index = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T.contiguous()
        return cls.of(x.reshape(len(number), len(features)), edge_index, torch.tensor(weights) if weighted else None)

    @classmethod
    def union(cls, items: Sequence[GraphField]) -> GraphField:
        """Join inputs into one disjoint union, in order.

        Raises:
            ValueError: without inputs, or when inputs with edges have different numbers of edge attributes.
        """
        if not items:
            raise ValueError("no graphs were given, and a union of none has no channels")
        if len(items) == 1:
            return items[0]
        starts = [0]
        graphs = [0]
        for item in items:
            starts.append(starts[-1] + item.x.shape[0])
            graphs.append(graphs[-1] + item.graphs)
        weighted = any(item.edge_weight is not None for item in items)
        return cls(
            x=torch.cat([item.x for item in items]),
            edge_index=torch.cat([item.edge_index + start for item, start in zip(items, starts)], dim=1),
            batch=torch.cat([item.batch + first for item, first in zip(items, graphs)]),
            edge_weight=torch.cat([item.weights() for item in items]) if weighted else None,
            graphs=graphs[-1],
            edge_attr=_join_attributes(items),
        )

    def refine(self, x: Tensor, coarse: GraphField) -> GraphField:
        """Return these nodes with features ``x`` that come from a coarser field, and the penalties of both."""
        both = [field.penalty for field in (self, coarse) if field.penalty is not None]
        return replace(self, x=x, penalty=torch.stack(both).sum() if both else None)

    def weights(self) -> Tensor:
        """Return the edges' weights, ``(edges,)``, 1 where none were given; never below float32."""
        dtype = torch.promote_types(self.x.dtype, torch.float32)
        if self.edge_weight is None:
            return torch.ones(self.edge_index.shape[1], dtype=dtype, device=self.x.device)
        return self.edge_weight.to(dtype)

    def links(self) -> Links:
        """Return the edges in the orders that products need, found once for all fields on the same edges."""
        if self._links is None or self._links.edge_index is not self.edge_index:
            self._links = Links(self.edge_index, self.x.shape[0], self.x.shape[0])
        return self._links

    def to(self, *args: Any, **kwargs: Any) -> GraphField:
        """Return the field on another device, or in another floating type; arguments as for ``Tensor.to``."""
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        moved: dict[str, Any] = {}
        for f in fields(self):
            part = getattr(self, f.name)
            if isinstance(part, Tensor):
                moved[f.name] = part.to(device, dtype if part.is_floating_point() else None, non_blocking)
        return replace(self, **moved)


def _join_attributes(items: Sequence[GraphField]) -> Tensor | None:
    """Join the attributes of all edges; a graph without edges needs none."""
    attributes = [item.edge_attr for item in items]
    with_edges = [item.edge_attr for item in items if item.edge_index.shape[1]]
    widths = {0 if one is None else one.shape[1] for one in with_edges}
    if len(widths) > 1:
        raise ValueError(f"the edges of graphs have different numbers of attributes: {sorted(widths)}")
    # where no graph has an edge, empty rows still say how many attributes there would be
    known = [one for one in with_edges or attributes if one is not None]
    return torch.cat(known if with_edges else known[:1]) if known else None
