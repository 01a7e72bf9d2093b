"""Places of nodes in their graph: eigenvectors of the Laplacian, or returns of random walks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigsh

from multiunet.domains.graph.info import Positions
from multiunet.domains.graph.options import EdgesTrain, read_positions
from multiunet.errors import InputError

DENSE = 512
"""Nodes of a graph up to which its matrices are written out."""

BLOCK = 1 << 23
"""Numbers that walks hold at once."""

MOST_WORK = 5e11
"""Products that walks may take; a core does some 1e9 in a second."""

Sparse = Any
"""A ``scipy.sparse.csr_array``, which has no type that can be checked."""


def wanted_positions(config: EdgesTrain) -> Positions | None:
    """Return the positional encodings that the settings name; None: none."""
    if config.positional_encoding is None:
        return None
    kind, count = read_positions(config.positional_encoding)
    return Positions(kind=kind, count=count)


def encode_positions(
    path: Path,
    wanted: Positions,
    edges: NDArray[np.int64],
    weight: NDArray[np.float32] | None,
    starts: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the positions of the nodes of one graph, or of many, ``(nodes, wanted.count)``.

    Args:
        path: of the graphs, for errors.
        edges: source and target, ``(2, edges)``, sources ascending; of many graphs none leads from one to another.
        weight: of each edge, ``(edges,)``; None: all 1.
        starts: where the nodes of each graph begin, and the number of all, ``(graphs + 1,)``.

    Raises:
        InputError: where a graph is too large for them.
    """
    found = np.zeros((int(starts[-1]), wanted.count), np.float32)
    values = np.ones(edges.shape[1]) if weight is None else weight.astype(np.float64)
    bounds = np.searchsorted(edges[0], starts)
    for graph in range(len(starts) - 1):
        first, end = int(starts[graph]), int(starts[graph + 1])
        if first == end:
            continue
        own = slice(int(bounds[graph]), int(bounds[graph + 1]))
        links = scipy.sparse.csr_array(
            (values[own], (edges[0, own] - first, edges[1, own] - first)), shape=(end - first, end - first)
        )
        if wanted.kind == "random-walk":
            found[first:end] = _returns(path, links, wanted.count)
        else:
            found[first:end] = _eigenvectors(path, links, wanted.count)
    return found


def _returns(path: Path, links: Sparse, steps: int) -> NDArray[np.float64]:
    """Return the probability that a walk is back after 1, 2, ... steps (Dwivedi et al. 2022, "RWPE").

    That is the diagonal of the powers of D^-1 A, ``(nodes, steps)``.
    """
    nodes = links.shape[0]
    work = float(links.nnz) * nodes * steps
    if nodes > DENSE and work > MOST_WORK:
        raise InputError(
            f"{path}: `positional_encoding=random-walk:{steps}` of {nodes:,} nodes and {links.nnz:,} edges would take "
            "hours; take fewer steps, or `positional_encoding=laplacian:8`"
        )
    degree = links.sum(axis=1)
    walk = scipy.sparse.diags_array(1 / np.where(degree > 0, degree, 1)).tocsr() @ links
    found = np.zeros((nodes, steps))
    size = nodes if nodes <= DENSE else max(1, BLOCK // nodes)
    matrix = walk.toarray() if nodes <= DENSE else walk
    for first in range(0, nodes, size):
        columns = np.arange(first, min(first + size, nodes))
        place = np.zeros((nodes, len(columns)))
        place[columns, columns - first] = 1
        for step in range(steps):
            place = matrix @ place
            found[columns, step] = place[columns, columns - first]
    return found


def _eigenvectors(path: Path, links: Sparse, count: int) -> NDArray[np.float64]:
    """Return eigenvectors of I - D^-1/2 A D^-1/2 of the smallest eigenvalues but 0 (Dwivedi et al. 2020).

    Each connected component has its own, since those of eigenvalue 0 only tell components apart; the mean square of
    each is 1 over the component, and its largest number is positive. Of what a component has too few nodes for, 0.
    """
    both = (links + links.T) / 2  # directions do not count
    found = np.zeros((links.shape[0], count))
    for members, own in _components(both):
        root = 1 / np.sqrt(own.sum(axis=1))
        scaled = scipy.sparse.diags_array(root).tocsr() @ own @ scipy.sparse.diags_array(root).tocsr()
        vectors = _largest(path, scaled, min(count, len(members) - 1))
        top = np.abs(vectors.round(6)).argmax(axis=0)
        sign = np.where(vectors[top, np.arange(vectors.shape[1])] < 0, -1, 1)
        found[members, : vectors.shape[1]] = vectors * sign * np.sqrt(len(members))
    return found


def _components(links: Sparse) -> Iterator[tuple[NDArray[np.int64], Sparse]]:
    """Yield the nodes of each connected component of more than one node, with the links among them."""
    count, component = connected_components(links, directed=False)
    order = np.argsort(component, kind="stable")
    bounds = np.searchsorted(component[order], np.arange(count + 1))
    sorted_links = links[order][:, order]  # cut by ranges: indices would be looked up among all nodes each time
    for first, end in pairwise(bounds):
        if end - first > 1:
            yield order[first:end], sorted_links[first:end, first:end]


def _largest(path: Path, scaled: Sparse, count: int) -> NDArray[np.float64]:
    """Return the eigenvectors of the largest eigenvalues but the first, which is 1, ``(nodes, count)``."""
    nodes = scaled.shape[0]
    if nodes <= max(DENSE, 2 * count + 2):
        values, vectors = np.linalg.eigh(scaled.toarray())
    else:
        start = np.random.default_rng(nodes).normal(size=nodes)  # always the same
        try:
            values, vectors = eigsh(scaled, k=count + 1, which="LA", v0=start, tol=1e-6, maxiter=200_000)
        except ArpackError as error:
            raise InputError(
                f"{path}: the eigenvectors of `positional_encoding=laplacian:{count}` are not found ({error}); take "
                "fewer, or `positional_encoding=random-walk:16`"
            ) from error
    order = np.argsort(-values, kind="stable")[1 : count + 1]
    chosen: NDArray[np.float64] = vectors[:, order]
    return chosen
