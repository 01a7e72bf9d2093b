"""Layers of graph networks on stored features, some nodes at a time, equal to those on all nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from multiunet.core import LazyConcat
from multiunet.core.shared import reads_sites
from multiunet.geometries.graph.block import GraphBlock
from multiunet.geometries.graph.conv import GCNLayer, GraphConvolution
from multiunet.geometries.graph.dropout import EdgeDropout, NodeDropout
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import apply_linear, apply_to_parts
from multiunet.geometries.graph.links import Links, spmm
from multiunet.geometries.graph.pyg_conv import GATv2Layer, PyGLayer
from multiunet.prediction.layerwise.halo import Heard, Sites
from multiunet.prediction.layerwise.rows import RowDropout, Rows, Source, Stored, as_rows, features_of


@dataclass(frozen=True)
class Way:
    """Way in which features are computed.

    Attributes:
        size: nodes of a part.
        folder: where features lie; None: in memory.
        device: where parts are computed.
    """

    size: int
    folder: Path | None
    device: torch.device

    def rows(self, source: Source, first: int, last: int) -> Rows:
        """Read some nodes of a source, on the device."""
        found = source.part(first, last)
        if isinstance(found, LazyConcat):
            return LazyConcat(found.geometry, tuple(part.to(self.device) for part in found.parts))
        return found.to(self.device)


def run_block(block: nn.Module, sites: Sites, source: Source, way: Way) -> Stored:
    """Return what a block makes of the features of all nodes of a level.

    Raises:
        ValueError: for a block that is none of ``Graph``.
    """
    if not isinstance(block, GraphBlock):
        raise ValueError(f"{type(block).__name__} cannot be computed some nodes at a time")
    given, made = source, None
    last = len(block.convolutions) - 1
    for place, parts in enumerate(zip(block.convolutions, block.norms, block.dropouts)):
        conv, norm, dropout = parts
        drop, result = RowDropout(dropout), None
        for first, mixed in _convolve(conv, sites, given, way):
            field = drop(first, block.activation(norm(as_rows(mixed))))
            x = field.x
            if block.residual and place == last:
                own = features_of(way.rows(source, first, first + len(x)))
                x = x + (own if block.shortcut is None else apply_linear(block.shortcut, own))
            result = result or Stored(sites.count, x.shape[1], way.folder)
            result.x[first : first + len(x)] = x.float().cpu()
        if made is not None:
            made.drop()
        assert result is not None
        given = made = result
    assert made is not None
    if len(block.attention):  # of each node to all nodes
        field = replace(sites.bare, x=made.x.clone()).to(way.device)
        for attend in block.attention:
            field = attend(field, None)
        made.x[:] = field.x.float().cpu()
    return made


def _convolve(conv: nn.Module, sites: Sites, source: Source, way: Way) -> Iterator[tuple[int, Tensor]]:
    """Yield the first node of each part, and the convolution's output on the part's nodes."""
    if isinstance(conv, GCNLayer):
        yield from _propagate(conv, sites, source, way)
    elif isinstance(conv, GraphConvolution):
        yield from _mix(conv, sites, source, way)
    elif isinstance(conv, PyGLayer):
        yield from _call(conv, sites, source, way)
    else:
        raise ValueError(f"{type(conv).__name__} cannot be computed some nodes at a time")


def _send(conv: GraphConvolution, sites: Sites, source: Source, way: Way) -> Stored:
    """Return what each node sends, behind the linear map and the dropout of nodes."""
    mask = conv.node_dropout(sites.bare, sites.bare.x)
    sent = Stored(sites.count, conv.neighbours.out_features, way.folder)
    for first, last in sites.parts(way.size):
        x = apply_to_parts(conv.neighbours, way.rows(source, first, last))
        sent.x[first:last] = (x.float().cpu()) * mask[first:last]
    return sent


def _propagate(conv: GCNLayer, sites: Sites, source: Source, way: Way) -> Iterator[tuple[int, Tensor]]:
    """Compute ``GCNLayer``: the degrees are those of the whole graph."""
    weight = conv.edge_dropout(sites.bare, sites.bare.weights())
    weight, own, scale = conv.normalise(sites.bare, weight, sites.count)
    sent = _send(conv, sites, source, way)
    before = sent
    for hop in range(conv.hops):
        final = hop == conv.hops - 1
        after = None if final else Stored(sites.count, sent.x.shape[1], way.folder)
        for first, last in sites.parts(way.size):
            heard = sites.hear(first, last)
            links = Links(heard.edge_index.to(way.device), len(heard.rows), heard.own)
            near = (scale[heard.rows] * before.x[heard.rows]).to(way.device)
            x = scale[first:last].to(way.device) * spmm(near, weight[heard.edges].to(way.device), links)
            x = x + (scale[first:last].square() * own[first:last, None] * before.x[first:last]).to(way.device)
            if conv.teleport:
                x = (1 - conv.teleport) * x + conv.teleport * sent.x[first:last].to(way.device)
            if after is None:
                yield first, x if conv.bias is None else x + conv.bias
            else:
                after.x[first:last] = x.cpu()
        if before is not sent:
            before.drop()
        before = after or before
    sent.drop()


def _mix(conv: GraphConvolution, sites: Sites, source: Source, way: Way) -> Iterator[tuple[int, Tensor]]:
    """Compute a convolution whose output at a node depends on edges into that node alone."""
    weight, sent = conv.edge_dropout(sites.bare, sites.bare.weights()), _send(conv, sites, source, way)
    for first, last in sites.parts(way.size):
        heard = sites.hear(first, last)
        near, field = sent.x[heard.rows].to(way.device), _field(sites, heard, way)
        if not reads_sites(conv.mix):  # it reads the nodes' own features, too
            own = features_of(way.rows(source, first, last)).to_dense()
            field = replace(field, x=torch.cat([own, own.new_zeros(len(near) - len(own), own.shape[1])]))
        x = conv.mix(field, near, weight[heard.edges].to(way.device))[: heard.own]
        yield first, x if conv.bias is None else x + conv.bias
    sent.drop()


def _call(conv: PyGLayer, sites: Sites, source: Source, way: Way) -> Iterator[tuple[int, Tensor]]:
    """Compute a layer of torch-geometric, which may look at the degrees of those that it hears."""
    if conv.reach is None:
        raise ValueError(f"{type(conv.layer).__name__} does not say how far it looks; give PyGConv(..., reach=1)")
    hops = 1 if isinstance(conv, GATv2Layer) else conv.reach + 1
    ones = torch.ones(sites.bare.edge_index.shape[1])
    kept = conv.edge_dropout(sites.bare, ones) > 0
    sends = conv.node_dropout(sites.bare, sites.bare.x)[:, 0] > 0
    stored = _store(source, sites, way)
    for first, last in sites.parts(way.size):
        heard = sites.hear(first, last, hops)
        field = replace(_field(sites, heard, way), x=stored.x[heard.rows].to(way.device))
        passes = (kept[heard.edges] & sends[heard.rows[heard.edge_index[0]]]).to(way.device)
        with _undropped(conv.edge_dropout), _undropped(conv.node_dropout):
            yield first, conv(_only(field, passes)).x[: heard.own]
    if stored is not source:
        stored.drop()


def _store(source: Source, sites: Sites, way: Way) -> Stored:
    """Return a source as one that is read by rows."""
    if isinstance(source, Stored):
        return source
    found = None
    for first, last in sites.parts(way.size):
        x = features_of(source.part(first, last)).to_dense()
        found = found or Stored(sites.count, x.shape[1], way.folder)
        found.x[first:last] = x
    assert found is not None
    return found


def _field(sites: Sites, heard: Heard, way: Way) -> GraphField:
    """Return nodes and what they hear as a graph of its own, without features."""
    bare = sites.bare
    weight, attributes = (None if part is None else part[heard.edges] for part in (bare.edge_weight, bare.edge_attr))
    x = torch.empty(len(heard.rows), 0)
    return GraphField.of(x, heard.edge_index, weight, attributes).to(way.device)


def _only(field: GraphField, passes: Tensor) -> GraphField:
    """Return a graph with some of its edges."""
    weight, attributes = (None if part is None else part[passes] for part in (field.edge_weight, field.edge_attr))
    return replace(field, edge_index=field.edge_index[:, passes], edge_weight=weight, edge_attr=attributes)


@contextmanager
def _undropped(layer: EdgeDropout | NodeDropout) -> Iterator[None]:
    """Let a layer drop nothing: its mask has been applied."""
    key, layer.dropout.key = layer.dropout.key, None
    try:
        yield
    finally:
        layer.dropout.key = key
