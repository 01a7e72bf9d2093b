"""Prediction of all nodes of a graph: at once, or layer by layer where memory or the user asks for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from multiunet.domains.graph.prediction import predict_moments
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.memory import amount, free_memory
from multiunet.prediction.ensemble import members
from multiunet.prediction.layerwise import check_layerwise, predict_by_layers
from multiunet.uncertainty import Moments, dropouts

PART = 100_000
"""Nodes of a part, where the user names no number."""

HELD = 8
"""Arrays of the widest features of all nodes that a prediction at once holds, about."""

AN_EDGE = 64
"""Bytes that it takes for each edge of the finest graph, about: in both orders, on all levels."""

USABLE = 0.8
"""Share of the free memory that may be planned with."""


def predict_nodes(
    model: Model,
    field: GraphField,
    device: torch.device,
    samples: int,
    seed: int,
    part_nodes: int | None,
    beside: Path | None = None,
) -> Moments[Tensor]:
    """Predict each node, ``(nodes, names)``; see ``predict_moments`` and ``predict_by_layers``.

    Args:
        part_nodes: predict layer by layer, so many nodes at a time; None: all at once, if that fits into memory.
        beside: a file next to which features may lie meanwhile; None: they lie in the system's temporary folder.

    Raises:
        InputError: when nodes of a part are given for a network that cannot be computed layer by layer.
    """
    if part_nodes is None and fits_at_once(model, field, device):
        return predict_moments(model, field, device, samples, seed)
    try:
        check_layerwise(model.net)
    except ValueError as error:
        if part_nodes is not None:
            raise InputError(f"`part_nodes={part_nodes}`: {error}; leave it out") from error
        return predict_moments(model, field, device, samples, seed)
    if part_nodes is None:
        remark(
            f"predicting all {field.x.shape[0]:,} nodes at once would take more memory than is free "
            f"({amount(free_memory(device))}), so it goes layer by layer, {PART:,} nodes at a time (`part_nodes`)"
        )
    net = model.net.to(device)
    with _folder_of_features(beside) as folder:
        return predict_by_layers(
            *(net, model.task, field, part_nodes or PART, folder),
            samples=samples if dropouts(net) else 1,
            seed=seed,
            calibration=model.calibration,
            device=device,
        )


def fits_at_once(model: Model, field: GraphField, device: torch.device) -> bool:
    """Return whether a prediction of all nodes at once fits into the free memory, as estimated."""
    widest = max(max(getattr(net, "channels", (0,))) for net in members(model.net))
    needed = 4 * HELD * widest * field.x.shape[0] + AN_EDGE * field.edge_index.shape[1]
    return needed <= USABLE * free_memory(device)


@contextmanager
def _folder_of_features(beside: Path | None) -> Iterator[Path]:
    """Return a folder that is removed at the end; one that a killed process left is emptied."""
    if beside is None:
        with tempfile.TemporaryDirectory(prefix="multiunet-") as temporary:
            yield Path(temporary)
        return
    folder = beside.with_name(f".{beside.name}.layers")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
