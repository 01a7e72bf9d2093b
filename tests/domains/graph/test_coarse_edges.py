from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.graph import coarse_edges
from multiunet.domains.graph.coarse_edges import choose_coarse_edges, count_paths
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.domain import GraphDomain
from multiunet.geometries.graph.edges import Induced, TwoHop


def config(**settings: Any) -> GraphTrain:
    return GraphTrain(graph=Path("g.npz"), **settings)


def test_paths_are_those_of_the_matrix_product() -> None:
    g = np.random.default_rng(0)
    index = np.unique(g.integers(0, 9, (2, 30)), axis=1)
    index = index[:, index[0] != index[1]]
    a = np.eye(9)
    a[index[1], index[0]] = 1
    assert count_paths(index, 9) == int((a @ a).sum())


def test_paths_must_be_many_and_many_a_node() -> None:
    ring = np.stack([np.arange(40), np.roll(np.arange(40), 1)])
    # a star's centre has every pair of its leaves: here without the star itself, as degrees alone count
    leaves = np.arange(1, 5000)
    star = np.concatenate([np.stack([0 * leaves, leaves]), np.stack([leaves, 0 * leaves])], axis=1)
    assert choose_coarse_edges(config(), ring, 40).kind == "two-hop"
    dense = choose_coarse_edges(config(), star, 5000)
    assert (dense.kind, dense.paths) == ("induced", 5000**2 + 4 * 4999)
    assert dense.reason.startswith("25,019,996 paths of two steps, 5,004 a node, would cost most of an epoch")
    # as many among more nodes cost less than the nodes do
    assert choose_coarse_edges(config(), star, 200_000).kind == "two-hop"


def test_what_is_set_wins_and_merging_needs_none() -> None:
    leaves = np.arange(1, 5000)
    star = np.concatenate([np.stack([0 * leaves, leaves]), np.stack([leaves, 0 * leaves])], axis=1)
    assert choose_coarse_edges(config(coarse_edges="two-hop"), star, 5000).kind == "two-hop"
    assert choose_coarse_edges(config(coarse_edges="induced"), star[:, :1], 5000).kind == "induced"
    assert choose_coarse_edges(config(pool="matching"), star, 5000).kind is None


def test_the_choice_is_said_recorded_and_built(
    save: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save()
    small = GraphDomain().inspect(GraphTrain(graph=path))
    assert small.coarse_edges.kind == "two-hop"
    assert "`coarse_edges`" not in caplog.text
    monkeypatch.setattr(coarse_edges, "MANY_PATHS", 10)
    monkeypatch.setattr(coarse_edges, "MANY_PER_NODE", 1)
    for setting, edges in (("auto", Induced()), ("two-hop", TwoHop(max_neighbours=64))):
        domain, asked = GraphDomain(), GraphTrain(graph=path, coarse_edges=setting)
        facts = domain.inspect(asked)
        assert domain.build(asked, facts).geometry.pool.edges == edges
    assert caplog.text.count("`coarse_edges=two-hop` adds those of two steps") == 1
