"""Features of many nodes that lie on disk, or are made when they are read, some rows at a time."""

from __future__ import annotations

import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from multiunet.core import LazyConcat
from multiunet.core.lazy import concatenated
from multiunet.geometries.graph.dropout import FeatureDropout
from multiunet.geometries.graph.field import GraphField

Rows = GraphField | LazyConcat[GraphField]
"""Nodes that follow each other, with their features and without edges."""


class Source(ABC):
    """Features of a level's nodes, read some consecutive nodes at a time."""

    @abstractmethod
    def part(self, first: int, last: int) -> Rows:
        """Return the nodes ``first`` to ``last``, without the last."""


class Stored(Source):
    """Features ``(nodes, channels)``, float32, in files that are in memory as far as there is room.

    Args:
        folder: where files are made; None: all is in memory.

    Raises:
        OSError: when the disk has no room for a file.
    """

    _numbers = itertools.count()

    def __init__(self, nodes: int, channels: int, folder: Path | None) -> None:
        self.path: Path | None = None
        if folder is None or not nodes * channels:
            self.x = torch.empty(nodes, channels)
            return
        self.path = folder / f"features-{next(self._numbers)}"
        _reserve(self.path, 4 * nodes * channels)
        flat = torch.from_file(str(self.path), shared=True, size=nodes * channels, dtype=torch.float32)
        self.x = flat.view(nodes, channels)

    def part(self, first: int, last: int) -> GraphField:
        return as_rows(self.x[first:last].clone())

    def drop(self) -> None:
        """Remove the file; nothing is read of it any more."""
        self.x = torch.empty(0, self.x.shape[1])
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _reserve(path: Path, size: int) -> None:
    """Make a file of so many bytes that the disk has room for: written as memory, on a full one the process dies.

    Raises:
        OSError: when there is no room; the file is removed.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS, Windows
        return
    with path.open("xb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            path.unlink()
            raise


class Given(Source):
    """Features of the input, dense or sparse, behind the dropout of the input."""

    def __init__(self, x: Tensor, dropout: RowDropout) -> None:
        self._dropout = dropout
        self._dense = None if x.is_sparse else x
        if x.is_sparse:
            x = x.coalesce()
            ends, values = x.indices().numpy(), x.values().numpy()
            self._sparse = scipy.sparse.csr_array((values, (ends[0], ends[1])), shape=tuple(x.shape))

    def part(self, first: int, last: int) -> GraphField:
        if self._dense is not None:
            return self._dropout(first, as_rows(self._dense[first:last]))
        rows = self._sparse[first:last].tocoo()
        place = torch.from_numpy(np.stack([rows.row, rows.col]).astype(np.int64))
        x = torch.sparse_coo_tensor(
            place, torch.from_numpy(rows.data), rows.shape, is_coalesced=True, check_invariants=False
        )
        return self._dropout(first, as_rows(x))


class Made(Source):
    """Features that a function makes of the places of nodes; on the way up: of a coarser level and a skip."""

    def __init__(self, make: Callable[[int, int], Rows]) -> None:
        self._make = make

    def part(self, first: int, last: int) -> Rows:
        return self._make(first, last)


class RowDropout:
    """Dropout of features whose masks are those of all nodes at once, though parts are asked for.

    The generator's state at the begin of each part is kept, so that a part may be asked for again. The first time,
    parts come in order.
    """

    def __init__(self, layer: nn.Module | None) -> None:
        self._layer = layer if isinstance(layer, FeatureDropout) else None
        self._generator = torch.Generator("cpu")
        self._states: dict[int, Tensor] = {}
        dropout = None if self._layer is None else self._layer.dropout
        self.active = dropout is not None and dropout.p > 0 and dropout.key is not None
        if self.active and dropout is not None and dropout.key is not None:
            self._generator.manual_seed(dropout.key)

    def __call__(self, first: int, field: GraphField) -> GraphField:
        if not self.active or self._layer is None:
            return field
        if self._layer.dropout.whole_channels:
            return self._layer(field)  # type: ignore[no-any-return]  # one mask for all nodes
        if first in self._states:
            self._generator.set_state(self._states[first])
        else:
            self._states[first] = self._generator.get_state()
        x, p = field.x, self._layer.dropout.p
        values = x.values() if x.is_sparse else x
        draw = torch.rand(values.shape, generator=self._generator)
        kept = values * ((draw >= p).to(values.dtype) / (1.0 - p)).to(values.device)
        if not x.is_sparse:
            return as_rows(kept)
        return as_rows(torch.sparse_coo_tensor(x.indices(), kept, x.shape, is_coalesced=True, check_invariants=False))


def as_rows(x: Tensor) -> GraphField:
    """Return nodes with these features, without edges."""
    nodes = torch.zeros(0, dtype=torch.int64, device=x.device)
    return GraphField(x, nodes.reshape(2, 0), nodes.new_zeros(x.shape[0]))


def features_of(rows: Rows) -> Tensor:
    """Return the features of nodes, ``(nodes, channels)``."""
    return concatenated(rows).x
