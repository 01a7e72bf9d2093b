"""Digests of graphs, by which the same graph is known again."""

from __future__ import annotations

import hashlib

from multiunet.geometries.graph.field import GraphField


def hash_field(field: GraphField) -> str:
    """Return a digest of features and edges; equal for graphs of the same nodes, in order, and edges."""
    digest = hashlib.sha256()
    x = field.x.coalesce() if field.x.is_sparse else field.x
    features = (x.indices(), x.values()) if x.is_sparse else (x,)
    for part in (*features, field.edge_index, field.edge_weight, field.edge_attr):
        if part is not None:
            digest.update(str(tuple(part.shape)).encode() + part.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
