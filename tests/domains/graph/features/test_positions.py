"""Positional encodings against torch-geometric's transforms, and by hand on small graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data
from torch_geometric.transforms import AddLaplacianEigenvectorPE, AddRandomWalkPE
from torch_geometric.utils import coalesce

from multiunet.domains.graph.features import positions
from multiunet.domains.graph.features.positions import encode_positions
from multiunet.domains.graph.features.signs import flip_signs
from multiunet.domains.graph.info import Positions
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField

HERE = Path("g.npz")


def random_graph(nodes: int, seed: int = 0) -> NDArray[np.int64]:
    """A ring with chords, both ways, without repetitions, sources ascending."""
    g = torch.Generator().manual_seed(seed)
    ring = torch.stack([torch.arange(nodes), torch.arange(nodes).roll(-1)])
    chords = torch.randint(nodes, (2, 2 * nodes), generator=g)
    both = torch.cat([ring, chords[:, chords[0] != chords[1]]], dim=1)
    return coalesce(torch.cat([both, both.flip(0)], dim=1)).numpy()


def encode(
    kind: str, count: int, edges: NDArray[np.int64], nodes: int, **more: NDArray[np.int64]
) -> NDArray[np.float32]:
    wanted = Positions(kind=kind, count=count)  # type: ignore[arg-type]
    starts = more.get("starts", np.array([0, nodes]))
    return encode_positions(HERE, wanted, edges, None, starts)


@pytest.mark.parametrize("dense", [512, 10])
def test_walks_return_as_in_torch_geometric(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "DENSE", dense)
    monkeypatch.setattr(positions, "BLOCK", 200)
    edges = random_graph(30)
    data = AddRandomWalkPE(6, attr_name="pe")(Data(edge_index=torch.from_numpy(edges), num_nodes=30))
    np.testing.assert_allclose(encode("random-walk", 6, edges, 30), data.pe, atol=1e-6)


@pytest.mark.parametrize("dense", [512, 10])
def test_eigenvectors_are_those_of_torch_geometric(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the sign, which is fixed here, and the length."""
    monkeypatch.setattr(positions, "DENSE", dense)
    edges = random_graph(40)
    found = encode("laplacian", 3, edges, 40)
    data = AddLaplacianEigenvectorPE(3, attr_name="pe", is_undirected=True)(
        Data(edge_index=torch.from_numpy(edges), num_nodes=40)
    )
    expected = data.pe.numpy() * np.sqrt(40)
    expected *= np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    np.testing.assert_allclose((found**2).mean(axis=0), 1, rtol=1e-4)
    assert (found[np.abs(found).argmax(axis=0), range(3)] > 0).all()
    np.testing.assert_array_equal(found, encode("laplacian", 3, edges, 40))  # always the same


def test_each_component_has_its_own_eigenvectors() -> None:
    """Two paths of three nodes and a lone one; the second eigenvector of a path is 1, 0, -1 up to scale."""
    path = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])
    edges = np.concatenate([path, path + 3], axis=1)
    found = encode("laplacian", 3, edges, 7)
    root = np.sqrt(1.5)
    for first in (0, 3):
        assert np.abs(found[first : first + 3, 0]) == pytest.approx([root, 0, root], abs=1e-6)
        assert found[first, 0] == pytest.approx(-found[first + 2, 0])
    assert not found[:, 2].any()  # three nodes have two beside the first
    assert not found[6].any()


def test_graphs_of_a_set_are_encoded_by_themselves() -> None:
    first, second = random_graph(8), random_graph(11, seed=1)
    both = np.concatenate([first, second + 8], axis=1)
    for kind in ("laplacian", "random-walk"):
        found = encode(kind, 4, both, 19, starts=np.array([0, 8, 8, 19]))  # the second has no node
        np.testing.assert_array_equal(found[:8], encode(kind, 4, first, 8))
        np.testing.assert_array_equal(found[8:], encode(kind, 4, second, 11))


def test_walks_that_would_take_hours_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "DENSE", 10)
    monkeypatch.setattr(positions, "MOST_WORK", 1e3)
    with pytest.raises(
        InputError, match=r"g\.npz: `positional_encoding=random-walk:6` of 30 nodes .* hours; .*laplacian"
    ):
        encode("random-walk", 6, random_graph(30), 30)


@pytest.mark.parametrize("sparse", [False, True])
def test_signs_are_drawn_by_graph_and_column(sparse: bool) -> None:
    graphs = [GraphField.of(torch.full((nodes, 6), 2.0), torch.zeros(2, 0).long()) for nodes in (3, 4)]
    field = GraphField.union(graphs)
    if sparse:
        field.x = field.x.to_sparse().coalesce()
    seen = set()
    for seed in range(150):
        x = flip_signs(field, slice(4, 6), np.random.default_rng(seed)).x.to_dense()
        assert (x[:, :4] == 2).all()
        assert (x[:3, 4:] == x[0, 4:]).all()
        assert (x[3:, 4:] == x[3, 4:]).all()
        seen.add(tuple(x[[0, 3], 4:].flatten().tolist()))
    assert len(seen) == 16
