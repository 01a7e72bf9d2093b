"""Patches of a graph between which few edges are cut, by METIS."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from multiunet.errors import InputError
from multiunet.seeds import derive

SPARE = 0.95
"""Share of the largest size that patches have on average: METIS balances them to a few percent."""


def check_metis() -> None:
    """Check that pymetis is there.

    Raises:
        InputError: naming the extra.
    """
    if find_spec("pymetis") is None:
        raise InputError(
            "`partition=metis` needs pymetis, which is not installed; pip install 'multiunet[metis]', or leave "
            "`partition` out"
        )


def cut_by_metis(edges: NDArray[np.int64], nodes: int, size: int, seed: int) -> NDArray[np.int64]:
    """Cut a graph into patches of at most ``size`` nodes, with few edges between them.

    By METIS (Karypis & Kumar 1998). Patches that METIS leaves too large are cut once more, wherever they are.

    Args:
        edges: source and target, ``(2, edges)``; directions do not matter.

    Returns:
        The number of each node's patch, ``(nodes,)``.

    Raises:
        InputError: without pymetis.
    """
    check_metis()
    import pymetis

    count = -(-nodes // max(1, int(SPARE * size)))
    if size == 1 or count == 1:
        return np.arange(nodes) // size
    both = np.concatenate([edges, edges[::-1]], axis=1)
    links = scipy.sparse.csr_array((np.ones(both.shape[1], np.int8), (both[0], both[1])), shape=(nodes, nodes))
    options = pymetis.Options(seed=derive("metis", seed, nodes, size) % (1 << 31))
    _, found = pymetis.part_graph(count, pymetis.CSRAdjacency(links.indptr, links.indices), options=options)
    patch = np.asarray(found, dtype=np.int64)
    order = np.argsort(patch, kind="stable")
    counts = np.bincount(patch)
    piece = np.empty(nodes, np.int64)
    piece[order] = (np.arange(nodes) - np.repeat(counts.cumsum() - counts, counts)) // size
    _, number = np.unique(patch * nodes + piece, return_inverse=True)
    return np.asarray(number)
