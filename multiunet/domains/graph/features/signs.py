"""Random signs of eigenvectors, which have none of their own, so that training does not learn them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from multiunet.geometries.graph.field import GraphField


def flip_signs(field: GraphField, columns: slice, rng: np.random.Generator) -> GraphField:
    """Return a field whose features ``columns`` have random signs, for each graph and column drawn alone.

    As Dwivedi et al. 2020, "Benchmarking graph neural networks", section 4.1, train.
    """
    first, end = columns.start, columns.stop
    drawn = rng.choice(np.array([-1, 1], np.float32), (field.graphs, end - first))
    signs = torch.ones(field.graphs, field.x.shape[1], dtype=field.x.dtype)
    signs[:, first:end] = torch.from_numpy(drawn).to(field.x.dtype)
    if not field.x.is_sparse:
        return replace(field, x=field.x * signs[field.batch])
    x = field.x.coalesce()
    node, channel = x.indices()
    values = x.values() * signs[field.batch[node], channel]
    flipped = torch.sparse_coo_tensor(x.indices(), values, x.shape, is_coalesced=True, check_invariants=False)
    return replace(field, x=flipped)
