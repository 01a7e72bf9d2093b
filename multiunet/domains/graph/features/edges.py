"""Edges as networks take them: each once, none from a node to itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.graph.features.normalization import fit_standardisation, normalize
from multiunet.domains.graph.files.attributes import Attributes, align_columns
from multiunet.domains.graph.info import NOT_NORMALIZED, EdgeChanges, FeatureInfo
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.graph.attributes import pool_edge_attr
from multiunet.wording import listing


@dataclass(frozen=True)
class Edges:
    """Edges without loops and repetitions, sources ascending.

    Attributes:
        index: source and target, ``(2, edges)``, int64.
        weight: ``(edges,)``; None: all 1.
        attributes: None: none.
        changes: how many were given, left out, merged and added.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: Attributes | None
    changes: EdgeChanges

    def remark(self, undirected: bool) -> str | None:
        """Say what was changed; None where nothing is worth a word."""
        changes, said = self.changes, []
        if changes.loops_dropped:
            said.append(f"{changes.loops_dropped} from a node to itself are left out")
        if changes.repetitions_merged:
            averaged = {"weights": self.weight, "attributes": self.attributes}
            means = " and ".join(name for name, given in averaged.items() if given is not None)
            rule = f", with the mean of their {means}" if means else ""
            said.append(f"{changes.repetitions_merged} repeat earlier ones and count once{rule}")
        one_way = changes.reverses_added
        if undirected and one_way and 2 * one_way != changes.used:  # all: each edge is listed once, as usual
            said.append(f"{one_way} lead one way, their reverses are added (`undirected=false` keeps directions)")
        return f"of {changes.given} edges {'; '.join(said)}" if said else None


def simplified(
    edges: NDArray[np.int64],
    weight: NDArray[np.float32] | None,
    attributes: Attributes | None,
    nodes: int,
    undirected: bool,
) -> Edges:
    """Remove loops, and merge repeated edges into one with the mean weight and attributes.

    Args:
        edges, weight, attributes: as they were given.
        undirected: whether the reverse of each edge is one, too, with the same weight and attributes.
    """
    given = edges.shape[1]
    proper = np.flatnonzero(edges[0] != edges[1])
    ends, loops = edges[:, proper], given - len(proper)
    ordered = np.sort(ends[0] * nodes + ends[1])  # ten times faster than the hashes of np.unique
    distinct = len(proper) and 1 + int(np.count_nonzero(np.diff(ordered)))
    repeated = len(proper) - distinct
    if undirected:
        ends, proper = np.concatenate([ends, ends[::-1]], axis=1), np.tile(proper, 2)
    strength = np.ones(len(proper)) if weight is None else weight[proper].astype(np.float64)
    codes, where = np.unique(ends[0] * nodes + ends[1], return_inverse=True)
    mean = np.bincount(where, strength, len(codes)) / np.maximum(np.bincount(where, minlength=len(codes)), 1)
    index = np.stack([codes // max(1, nodes), codes % max(1, nodes)]).astype(np.int64)
    if attributes is not None:
        fine, values = torch.from_numpy(ends), torch.from_numpy(attributes.values[proper])
        merged = pool_edge_attr(fine, torch.from_numpy(strength), values, torch.from_numpy(index), nodes)
        attributes = replace(attributes, values=merged.numpy())
    changes = EdgeChanges(
        given=given,
        loops_dropped=loops,
        repetitions_merged=repeated,
        reverses_added=len(codes) - distinct,
        used=len(codes),
    )
    return Edges(index, None if weight is None else mean.astype(np.float32), attributes, changes)


def describe_attributes(edges: Edges, wanted: str) -> FeatureInfo:
    """Return the number of attributes of edges, their names if any, and their normalisation."""
    given = edges.attributes
    if given is None:
        return FeatureInfo(count=0, names=None, normalization=NOT_NORMALIZED)
    names = None if given.names is None else tuple(given.names)
    return FeatureInfo(
        count=given.values.shape[1], names=names, normalization=fit_standardisation(given.values, wanted)
    )


def normalize_attributes(path: Path, edges: Edges, known: FeatureInfo) -> NDArray[np.float32] | None:
    """Return the attributes as the network sees them, ``(edges, known.count)``; None where it sees none.

    Raises:
        InputError: where they are not those of ``known``.
    """
    count, names, given = known.count, known.names, edges.attributes
    found = 0 if given is None else given.values.shape[1]
    if given is not None and given.names is not None and names is not None:
        values = align_columns(path, given, names, "the run was trained on")
        new = [name for name in given.names if name not in names]
        if new:
            remark(f"{path}: {listing(new)} of edges was not there in training")
    elif found == count or not edges.changes.given:
        values = np.zeros((0, count), np.float32) if given is None else given.values
    else:
        raise InputError(
            f"{path}: edges have {found or 'no'} attributes, but the run was trained on {count or 'none'}; give the "
            "same"
        )
    return normalize(values, known.normalization) if count else None
