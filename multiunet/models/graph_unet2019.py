"""U-Net of graphs as it was published, and as torch-geometric has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from multiunet.core import Add, LevelSpec, UNet
from multiunet.geometries.graph.conv import GCN, GCNLayer
from multiunet.geometries.graph.edges import CoarseEdges, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.select import TopK


def graph_unet2019(
    in_channels: int,
    out_channels: int,
    hidden_channels: int = 64,
    depth: int = 4,
    pool_ratio: float = 0.5,
    edges: CoarseEdges | None = None,
) -> UNet[GraphField]:
    """Build the network of Gao & Ji 2019, fig. 3, as ``torch_geometric.nn.GraphUNet`` reads it.

    One convolution a level, of which the loops weigh 2; the number of two-step paths as weights; skips are added; the
    last convolution gives the classes, and the head behind it begins as the identity.

    Args:
        in_channels: features of a node.
        out_channels: channels of the output of a node.
        hidden_channels: channels of all levels.
        depth: number of times that the graph is pooled.
        pool_ratio: share of the nodes that each level keeps, in (0, 1].
        edges: links the nodes of pooled graphs. The numbers of paths leave float32 at depth 6: ``TwoHop()``
            renormalises them, and ``TwoHop(max_neighbours=64)`` bounds their number, too.
    """
    pool = TopK(edges=edges or TwoHop(weights="paths"))
    inner = Graph(conv=GCN(loop_weight=2.0), pool=pool)
    finest = LevelSpec(hidden_channels, up_channels=hidden_channels, decoder_channels=out_channels)
    levels = [finest, *[LevelSpec(hidden_channels)] * depth]
    net = UNet(
        *(inner, in_channels, out_channels, levels),
        strides=[1 / pool_ratio] * depth,
        skip=Add,
        decoder=[replace(inner, activation="none"), *[inner] * depth],
    )
    head: Any = net.head
    nn.init.eye_(head.module.weight)
    nn.init.zeros_(head.module.bias)
    return net


def from_torch_geometric(peer: Any) -> UNet[GraphField]:
    """Build the network that computes what a ``torch_geometric.nn.GraphUNet`` does, with its weights.

    Raises:
        ValueError: when the peer adds no skips, its ratios differ by level, or its activation is not ReLU.
    """
    if not isinstance(peer.act, nn.ReLU) and peer.act not in (torch.relu, functional.relu):
        raise ValueError(f"only a GraphUNet with act='relu' can be taken over, not {peer.act}")
    if not peer.sum_res or len(set(peer.pool_ratios)) > 1:
        raise ValueError("only a GraphUNet with sum_res=True and one pool ratio can be taken over")
    sizes = peer.in_channels, peer.out_channels, peer.hidden_channels, peer.depth
    net = graph_unet2019(*sizes, *peer.pool_ratios[:1])
    ours: Any = [
        m for part in (net.encoder, net.bottleneck, net.decoder) for m in part.modules() if isinstance(m, GCNLayer)
    ]
    downs: Any = net.downs
    with torch.no_grad():
        for convolution, theirs in zip(ours, [*peer.down_convs, *peer.up_convs]):
            convolution.neighbours.weight.copy_(theirs.lin.weight)
            convolution.bias.copy_(theirs.bias)
        for pool, theirs in zip(downs, peer.pools):
            pool.score.p.copy_(theirs.select.weight[0])
    return net
