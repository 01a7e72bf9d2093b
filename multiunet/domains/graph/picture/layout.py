"""Layout of a graph for drawing: force-directed, in time linear in the size of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, dijkstra

Places = NDArray[np.float64]
"""``(nodes, 2)``."""

Mass = NDArray[np.float64]
"""How strongly a node repels others, ``(nodes,)``."""

PIVOTS = 50
ITERATIONS = 200
STIFFNESS = 10.0
"""Of an edge, where two nodes without edges repel each other by the reciprocal of their distance."""

GRAVITY = 0.2
"""1 spreads nodes evenly over a disc; less leaves groups apart; 0 lets threads of nodes drift far away."""

LATTICE = 256
"""Cells along each side of the lattice on which the nodes of a large component push each other away."""

PAIRS = 500
"""Up to so many nodes push each other away one by one."""


def layout(edges: NDArray[np.int64], nodes: int) -> Places:
    """Places of nodes in the plane, about one unit of area each; the same for the same graph.

    Linked nodes attract, all nodes repel each other, the more the more links they have, and are drawn to the centre
    (ForceAtlas2, Jacomy et al. 2014), from the first places of pivot MDS (Brandes & Pich 2007). In large graphs the
    repulsion is that of a lattice onto which nodes are spread, as of particles in a mesh (Hockney & Eastwood 1981): a
    step takes time linear in nodes and edges. The largest component is at the centre, the others are around it.

    Args:
        edges: source and target, ``(2, edges)``; directions do not matter.
    """
    ends = np.concatenate([edges, edges[::-1]], axis=1)
    links = scipy.sparse.csr_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(nodes, nodes))
    links.setdiag(0)
    links.eliminate_zeros()
    links.data[:] = 1.0
    _, component = connected_components(links, directed=False)
    sizes = np.bincount(component)
    order = np.argsort(-sizes, kind="stable")
    members = np.split(np.argsort(component, kind="stable"), np.cumsum(sizes)[:-1])
    parts = [_connected(links[members[i]][:, members[i]]) for i in order]
    places = np.zeros((nodes, 2))
    for i, part, centre in zip(order, parts, _rings([_radius(part) for part in parts])):
        places[members[i]] = part + centre
    return places


def _connected(links: Any) -> Places:
    nodes = links.shape[0]
    if nodes == 1:
        return np.zeros((1, 2))
    side, repulsion = math.sqrt(nodes), _by_pairs if nodes <= PAIRS else _by_lattice()
    places = _pivot_mds(links)
    places *= side / 2 / max(1e-9, np.sqrt((places**2).sum(axis=1).mean()))
    # nodes that are alike, such as the leaves of a star, start at one place, from where nothing would part them
    places += np.random.default_rng(0).normal(0, 0.1, places.shape)
    degree = links.sum(axis=1)
    mass = (1 + degree)[:, None]
    inward = GRAVITY * mass.sum() / nodes
    for step in range(ITERATIONS):
        pull = links @ places - degree[:, None] * places
        force = mass * repulsion(places, mass[:, 0]) + STIFFNESS * pull - inward * mass * places
        length = np.sqrt((force**2).sum(axis=1, keepdims=True))
        # the longest way that a node may go falls to nothing
        longest = 0.1 * side * (1 - step / ITERATIONS) ** 2 + 0.01
        places = places + force * np.minimum(0.5 / (STIFFNESS * mass), longest / np.maximum(length, 1e-12))
        places -= places.mean(axis=0)
    # the longest axis lies
    _, axes = np.linalg.eigh(places.T @ places)
    places = places @ axes[:, ::-1]
    spacing = np.sqrt((places**2).sum(axis=1).mean())
    return np.asarray(places * side / 2 / max(1e-9, spacing))


def _pivot_mds(links: Any) -> Places:
    """Brandes & Pich 2007: the plane in which distances to some nodes, each as far as can be from those before, fit."""
    nodes = links.shape[0]
    nearest = np.full(nodes, np.inf)
    pivot, rows = int(np.argmax(links.sum(axis=1))), []
    for _ in range(min(PIVOTS, nodes)):
        rows.append(dijkstra(links, directed=False, indices=pivot, unweighted=True))
        nearest = np.minimum(nearest, rows[-1])
        pivot = int(np.argmax(nearest))
    square = np.stack(rows, axis=1) ** 2
    centred = square - square.mean(axis=0) - square.mean(axis=1, keepdims=True) + square.mean()
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane: Places = centred @ axes[:, ::-1][:, :2]
    return plane if plane.shape[1] == 2 else np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def _by_pairs(places: Places, mass: Mass) -> Places:
    """The sum over all others of ``(x_i - x_j) / |x_i - x_j|^2``."""
    away = places[:, None] - places[None]
    return np.asarray((away / ((away**2).sum(axis=2, keepdims=True) + 1e-3) * mass[None, :, None]).sum(axis=1))


def _by_lattice() -> Callable[[Places, Mass], Places]:
    """The same by way of a lattice; nearer than its cells it fades."""
    size = 2 * LATTICE
    away = scipy.fft.ifftshift(np.arange(size) - LATTICE)
    x, y = np.meshgrid(away, away, indexing="ij")
    kernels = [scipy.fft.rfft2(axis / (x**2 + y**2 + 1.0)) for axis in (x, y)]

    def repulsion(places: Places, mass: Mass) -> Places:
        low = places.min(axis=0)
        cell = max(1e-9, float((places.max(axis=0) - low).max())) / (LATTICE - 2)
        corner = np.floor((places - low) / cell).astype(np.int64)
        share = (places - low) / cell - corner
        # each node counts at the four corners of its cell, the more the nearer
        where = [(corner[:, 0] + i) * LATTICE + corner[:, 1] + j for i in (0, 1) for j in (0, 1)]
        parts = [abs(1 - i - share[:, 0]) * abs(1 - j - share[:, 1]) for i in (0, 1) for j in (0, 1)]
        count = np.bincount(np.concatenate(where), np.concatenate(parts) * np.tile(mass, 4), LATTICE**2).reshape(
            LATTICE, LATTICE
        )
        spectrum, force = scipy.fft.rfft2(count, (size, size)), np.empty_like(places)
        for axis, kernel in enumerate(kernels):
            field = scipy.fft.irfft2(spectrum * kernel, (size, size))[:LATTICE, :LATTICE].ravel()
            force[:, axis] = sum(part * field[place] for place, part in zip(where, parts))
        return force / cell

    return repulsion


def _radius(places: Places) -> float:
    return float(np.sqrt((places**2).sum(axis=1)).max()) + 0.6


def _rings(radii: list[float]) -> list[NDArray[np.float64]]:
    """Centres of discs, the largest first: one at the origin, the others on rings around it without overlap."""
    centres = [np.zeros(2)]
    inner, index = radii[0], 1
    while index < len(radii):
        ring = inner + radii[index]  # the largest of this ring
        needed = 1.05 * sum(radii[index:]) / math.pi
        if ring < needed < 1.25 * ring:  # rather a wider ring than one more for the last few
            ring = needed
        halves = np.arcsin(np.minimum(1.0, np.array(radii[index:]) / ring))
        fit = max(1, int((2 * halves.cumsum() <= 2 * math.pi).sum()))
        gap = (2 * math.pi - 2 * halves[:fit].sum()) / fit
        ends = np.cumsum(2 * halves[:fit] + gap)
        angles = ends - halves[:fit] - gap / 2
        centres += list(ring * np.stack([np.cos(angles), np.sin(angles)], axis=1))
        inner, index = ring + radii[index], index + fit
    return centres
