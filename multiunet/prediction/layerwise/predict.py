"""Predictive moments of one large graph, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.core import UNet
from multiunet.core.stage import Level
from multiunet.finite import check_outputs
from multiunet.geometries.graph.block import GraphBlock
from multiunet.geometries.graph.conv import GraphConvolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.merge import MergePool, Unmerge
from multiunet.geometries.graph.pyg_conv import PyGLayer
from multiunet.geometries.graph.select import SelectPool, Unpool
from multiunet.prediction.ensemble import members, tasks_of
from multiunet.prediction.field import evaluating
from multiunet.prediction.layerwise.halo import Sites
from multiunet.prediction.layerwise.operators import Way, run_block
from multiunet.prediction.layerwise.pooling import Coarse, climb, descend, without_features
from multiunet.prediction.layerwise.rows import Given, RowDropout, Source, Stored
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration, Moments, Welford, dropouts, mc_dropout_sample

Saved = list[tuple[Coarse, Stored]]
"""Levels on the way down, finest first: each with the sites below it, and what its blocks made."""


def check_layerwise(net: nn.Module) -> None:
    """Check that a network, or each of an ensemble, can be computed layer by layer.

    Raises:
        ValueError: naming the part that cannot.
    """
    for member in members(net):
        if not isinstance(member, UNet) or member.embed is not None:
            raise ValueError(f"{type(member).__name__} cannot be computed layer by layer; a UNet without condition can")
        for level in [*member.encoder, member.bottleneck, *member.decoder]:
            for block in cast("Level[Any]", level).blocks:
                mixers = list(block.convolutions) if isinstance(block, GraphBlock) else [block]
                for mixer in mixers:
                    if not isinstance(mixer, GraphConvolution | PyGLayer) or getattr(mixer, "reach", 1) is None:
                        raise ValueError(f"{type(mixer).__name__} cannot be computed some nodes at a time")
        for down, up in zip(member.downs, reversed(member.ups)):
            pool = down[0] if isinstance(down, nn.Sequential) else down
            if not isinstance(pool, SelectPool | MergePool) or not isinstance(up, Unpool | Unmerge):
                raise ValueError(f"{type(pool).__name__} needs all nodes at once; pool by selection or by merging")


@torch.no_grad()
def predict_by_layers(
    net: nn.Module,
    task: Task,
    field: GraphField,
    nodes: int,
    folder: Path | None = None,
    samples: int = 1,
    seed: int = 0,
    calibration: Calibration | None = None,
    device: torch.device | None = None,
) -> Moments[Tensor]:
    """Predict the moments of a graph's nodes as ``predict_field`` does, to rounding.

    A layer is computed on all nodes, some at a time, before the next: these need what the layer before made of them
    and of those that they hear (one hop, with the degrees of the whole graph), nothing farther, and scores of pooling
    are compared between all nodes. So it is the whole graph's prediction. Masks of Monte-Carlo dropout are the same,
    too. In memory are the edges of each level, a few numbers a node, the result, and a part; features are on disk.
    Merging pools, and attention to all nodes, hold all features of their level.

    Returns:
        Moments ``(nodes, len(task.names))``.

    Args:
        field: one graph.
        nodes: of a part.
        folder: where features are kept; None: in memory.
        net, task, samples, seed, calibration: see ``predict_field``.
        device: where parts are computed; None: where the network is.

    Raises:
        ValueError: for a network that ``check_layerwise`` refuses, several graphs, or samples without dropout.
    """
    check_layerwise(net)
    if field.graphs != 1:
        raise ValueError(f"{field.graphs} graphs: layer by layer one is predicted; predict the others apart")
    way = Way(nodes, folder, device or next(net.parameters()).device)
    stream = Welford()
    for member, its_task in zip(members(net), tasks_of(net, task)):
        for output in _samples(cast("UNet[GraphField]", member), field, way, samples, seed):
            check_outputs([output], field.x)
            stream.add(*its_task.distribution(output))
    moments = stream.moments()
    return moments if calibration is None else calibration.apply(moments)


def _samples(net: UNet[GraphField], field: GraphField, way: Way, samples: int, seed: int) -> Iterator[Tensor]:
    if samples > 1 and not dropouts(net):
        raise ValueError(f"{samples} Monte-Carlo samples of a network without dropout are all the same; ask for 1")
    with evaluating(net):
        once = samples == 1 or not any(dropouts(part) for part in net.prefix())
        trail = _encode(net, field, way) if once else None
        for t in range(samples):
            if samples == 1:
                yield _decode(net, trail or _encode(net, field, way), way)
                break
            with mc_dropout_sample(net, seed, t):
                fresh = trail or _encode(net, field, way)
                output = _decode(net, fresh, way)
            if trail is None:
                _drop(fresh)
            yield output
        if trail is not None:
            _drop(trail)


def _encode(net: UNet[GraphField], field: GraphField, way: Way) -> tuple[Saved, Sites, Stored]:
    """Go down; return what was saved, and the coarsest level's nodes and features."""
    sites = Sites(without_features(field))
    source: Source = Given(field.x, RowDropout(getattr(net, "input_dropout", None)))
    saved: Saved = []
    for stage in net.down_stages:
        made = _run_level(stage.level, sites, source, way)
        coarse = descend(stage.down, sites, made, way)
        if isinstance(source, Stored):
            source.drop()
        saved.append((Coarse(sites, coarse.sites.bare), made))
        sites, source = coarse.sites, coarse.features
    assert isinstance(source, Stored)
    return saved, sites, source


def _decode(net: UNet[GraphField], trail: tuple[Saved, Sites, Stored], way: Way) -> Tensor:
    """Go up; return the network's output, ``(nodes, channels)``."""
    saved, sites, features = trail
    x = _run_level(net.bottleneck, sites, features, way)
    for stage, (level, skip) in zip(net.up_stages, reversed(saved)):
        source = climb(stage, level, x, skip, way)
        finer = _run_level(stage.level, level.sites, source, way)
        x.drop()
        x, sites = finer, level.sites
    parts = sites.parts(way.size)
    output = torch.cat([net.head(x.part(*part).to(way.device)).x.float().cpu() for part in parts])
    x.drop()
    return output


def _run_level(level: nn.Module, sites: Sites, source: Source, way: Way) -> Stored:
    made = None
    for block in cast("Level[Any]", level).blocks:
        found = run_block(block, sites, made or source, way)
        if made is not None:
            made.drop()
        made = found
    assert made is not None
    return made


def _drop(trail: tuple[Saved, Sites, Stored]) -> None:
    saved, _, bottom = trail
    for _, made in saved:
        made.drop()
    bottom.drop()
