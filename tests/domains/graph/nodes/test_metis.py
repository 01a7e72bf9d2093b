"""Patches by METIS: as large as may be, always the same, and with fewer cut edges than cells that grow."""

from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.graph.nodes import metis
from multiunet.domains.graph.nodes.metis import cut_by_metis
from multiunet.domains.graph.nodes.parts import cut_patches
from multiunet.errors import InputError


def grid(side: int) -> np.ndarray:
    """Edges of a grid of squares, one way."""
    place = np.arange(side * side).reshape(side, side)
    along = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    to = np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])
    return np.stack([along, to])


def test_patches_are_small_and_cut_few_edges() -> None:
    pytest.importorskip("pymetis")
    edges = grid(30)
    patch = cut_by_metis(edges, 900, 50, seed=0)
    assert np.bincount(patch).max() <= 50
    assert np.array_equal(np.unique(patch), np.arange(patch.max() + 1))
    assert np.array_equal(patch, cut_by_metis(edges, 900, 50, seed=0))
    cells = cut_patches(edges, 900, 50, seed=0)
    inside = [(one[edges[0]] == one[edges[1]]).mean() for one in (patch, cells)]
    assert inside[0] > inside[1] + 0.05


def test_odd_sizes_and_graphs_without_edges() -> None:
    pytest.importorskip("pymetis")
    edges = grid(5)
    assert len(np.unique(cut_by_metis(edges, 25, 1, seed=0))) == 25
    assert not cut_by_metis(edges, 25, 30, seed=0).any()
    alone = cut_by_metis(np.zeros((2, 0), np.int64), 25, 4, seed=0)
    assert np.bincount(alone).max() <= 4


def test_without_pymetis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metis, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs pymetis, .* pip install 'multiunet\[metis\]'"):
        cut_by_metis(grid(5), 25, 5, seed=0)
