"""Ways between the levels of a graph network, on stored features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from multiunet.core.stage import UpStage
from multiunet.geometries.graph.edges import index_kept
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import spmm
from multiunet.geometries.graph.merge import MergePool
from multiunet.geometries.graph.select import SAGScore, SelectPool
from multiunet.prediction.layerwise.halo import Sites
from multiunet.prediction.layerwise.operators import Way
from multiunet.prediction.layerwise.rows import Made, Rows, Source, Stored, as_rows


@dataclass(frozen=True)
class Pooled:
    """Coarser level: its nodes, and their features."""

    sites: Sites
    features: Stored


@dataclass(frozen=True)
class Coarse:
    """Level and the coarser one that was pooled from it.

    Attributes:
        sites: of the level.
        below: the coarser level, without features: says which nodes its own came from.
    """

    sites: Sites
    below: GraphField

    @cached_property
    def child(self) -> Tensor:
        """Number in the coarser level of each node that was kept, -1 of others; ``(nodes,)``."""
        assert self.below.parent is not None
        return index_kept(self.below.parent, self.sites.count)


def without_features(field: GraphField) -> GraphField:
    """Return the nodes and edges of a field, with features of no channels, on the CPU."""
    nodes = field.x.shape[0]
    return replace(field, x=torch.empty(nodes, 0), _links=field._links).to("cpu")


def descend(down: nn.Module, sites: Sites, made: Stored, way: Way) -> Pooled:
    """Pool a level whose blocks made these features."""
    pool, pointwise = (down[0], down[1]) if isinstance(down, nn.Sequential) else (down, None)
    if isinstance(pool, MergePool):
        coarse = pool(replace(sites.bare, x=made.x.clone()).to(way.device)).to("cpu")
        bare, given = without_features(coarse), _keep(coarse.x, way)
    else:
        assert isinstance(pool, SelectPool)
        bare, given = _select(pool, sites, made, way)
    if pointwise is None:
        return Pooled(Sites(bare), given)
    mapped, below = None, Sites(bare)
    for first, last in below.parts(way.size):
        x = pointwise(given.part(first, last).to(way.device)).x.float().cpu()
        mapped = mapped or Stored(below.count, x.shape[1], way.folder)
        mapped.x[first:last] = x
    given.drop()
    assert mapped is not None
    return Pooled(below, mapped)


def _keep(x: Tensor, way: Way) -> Stored:
    stored = Stored(x.shape[0], x.shape[1], way.folder)
    stored.x[:] = x
    return stored


def _select(pool: SelectPool, sites: Sites, made: Stored, way: Way) -> tuple[GraphField, Stored]:
    """Compute ``SelectPool``: scores of all nodes, and features of those that are kept."""
    below, gate = pool.select(sites.bare, _score(pool.score, sites, made, way))
    kept = below.parent
    assert kept is not None
    x = Stored(len(kept), made.x.shape[1], way.folder)
    for first in range(0, len(kept), way.size):
        part = slice(first, first + way.size)
        x.x[part] = made.x[kept[part]] * gate[part]
    return below, x


def _score(score: nn.Module, sites: Sites, made: Stored, way: Way) -> Tensor:
    """Return the scores of all nodes, ``(nodes,)``."""
    parts = sites.parts(way.size)
    if not isinstance(score, SAGScore):  # at each node by itself
        return torch.cat([score(made.part(*part).to(way.device)).cpu() for part in parts])
    own, told = (
        torch.cat([layer(made.part(*part).x.to(way.device)).cpu() for part in parts])
        for layer in (score.own, score.neighbours)
    )
    return (own + spmm(told, sites.bare.weights(), sites.bare.links()))[:, 0]


def climb(stage: UpStage[GraphField], level: Coarse, x: Stored, skip: Stored, way: Way) -> Source:
    """Return what a level's blocks on the way up read: features from below, merged with the skip.

    Args:
        x: features of the coarser level.
        skip: what the level's blocks made on the way down.
    """

    def make(first: int, last: int) -> Rows:
        own = skip.part(first, last).to(way.device)
        if level.below.cluster is not None:
            numbers, place = level.below.cluster[first:last].unique(return_inverse=True)
            coarse = replace(as_rows(x.x[numbers]).to(way.device), cluster=place.to(way.device))
        else:
            number = level.child[first:last]
            here = (number >= 0).nonzero()[:, 0]
            coarse = replace(as_rows(x.x[number[here]]).to(way.device), parent=here.to(way.device))
        merged = stage.merge(stage.up(coarse, own), own)
        return cast("Rows", merged)

    return Made(make)
