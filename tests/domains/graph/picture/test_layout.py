from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from multiunet.domains.graph.picture import layout as module
from multiunet.domains.graph.picture.layout import layout


def lattice(side: int) -> np.ndarray:
    number = np.arange(side * side).reshape(side, side)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    return np.concatenate([across, np.stack([number[:-1].ravel(), number[1:].ravel()])], axis=1)


def distances(places: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.linalg.norm(places[pairs[0]] - places[pairs[1]], axis=0 if places.ndim == 1 else 1)


def test_the_same_graph_has_the_same_places() -> None:
    np.testing.assert_array_equal(layout(lattice(12), 144), layout(lattice(12)[::-1], 144))


@pytest.mark.parametrize("side", [12, 30])  # pairs one by one, and the lattice of forces
def test_linked_nodes_are_near(side: int) -> None:
    edges, nodes = lattice(side), side * side
    places = layout(edges, nodes)
    assert np.isfinite(places).all()
    rng = np.random.default_rng(0)
    far = distances(places, rng.integers(0, nodes, (2, 2000)))
    assert distances(places, edges).max() < 0.5 * np.median(far)
    # opposite corners of the sheet are the ends of the picture: it is unfolded
    assert distances(places, np.array([[0], [nodes - 1]]))[0] > 0.7 * far.max()


def test_the_lattice_repels_as_pairs_do() -> None:
    rng = np.random.default_rng(0)
    places, mass = rng.normal(0, 10, (200, 2)), rng.uniform(1, 5, 200)
    one, other = module._by_pairs(places, mass), module._by_lattice()(places, mass)
    assert np.abs(one - other).mean() < 0.1 * np.abs(one).mean()


def test_components_do_not_overlap() -> None:
    rings = [np.stack([np.arange(size), (np.arange(size) + 1) % size]) for size in (40, 5, 5, 3)]
    starts = np.cumsum([0, 40, 5, 5])
    edges = np.concatenate([ring + start for ring, start in zip(rings, starts)], axis=1)
    places = layout(edges, 60)  # and seven nodes without edges
    labels = np.concatenate([np.repeat(np.arange(4), [40, 5, 5, 3]), np.arange(4, 11)])
    centres = np.stack([places[labels == label].mean(axis=0) for label in range(11)])
    radii = np.array([np.linalg.norm(places[labels == i] - centres[i], axis=1).max() for i in range(11)])
    apart = pdist(centres)
    pairs = np.triu_indices(11, 1)
    assert (apart > radii[pairs[0]] + radii[pairs[1]]).all()


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_few_nodes_have_places_of_their_own(nodes: int) -> None:
    for edges in (np.zeros((2, 0), np.int64), np.array([[0], [nodes - 1]])):
        places = layout(edges, nodes)
        assert np.isfinite(places).all()
        assert nodes == 1 or pdist(places).min() > 0.3


def test_leaves_of_a_star_part() -> None:
    places = layout(np.stack([np.zeros(30, np.int64), np.arange(1, 31)]), 31)
    assert pdist(places).min() > 0.1
