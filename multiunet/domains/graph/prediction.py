"""Predictions of nodes, or of whole graphs, and how they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.graph.info import GraphInfo
from multiunet.domains.graph.labels import UNKNOWN, index_classes, read_quantities
from multiunet.domains.graph.several_labels import read_labels
from multiunet.domains.model import Model
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.prediction import PredictionStore, predict_field
from multiunet.prediction.run import is_per_name
from multiunet.uncertainty import Moments, dropouts
from multiunet.uncertainty.conformal import SetMethod, score_classes
from multiunet.uncertainty.statements import state


def predict_moments(model: Model, field: GraphField, device: torch.device, samples: int, seed: int) -> Moments[Tensor]:
    """Predict each node, or each graph, ``(rows, names)``; one sample without dropout in the network."""
    net = model.net.to(device)
    samples = samples if dropouts(net) else 1  # all would be the same
    found = predict_field(
        net, model.task, model.geometry, field.to(device), samples, seed, calibration=model.calibration
    )
    return found.map(lambda part: part.cpu())


def score_neighbourhoods(mean: Tensor, edge_index: Tensor) -> dict[SetMethod, Tensor]:
    """Return scores of classes, ``(nodes, classes)``, by methods of sets that look at neighbours.

    Args:
        mean: probabilities, ``(nodes, classes)``.
        edge_index: edges between them, ``(2, edges)``.
    """
    return {"daps": score_classes("daps", mean, edge_index)}


def store_rows(
    store: PredictionStore,
    source: tuple[str, Path],
    name: str,
    site: str,
    ids: Any,
    model: Model,
    moments: Moments[Tensor],
    known: dict[str, Any],
    edge_index: Tensor | None = None,
) -> None:
    """Write the prediction of one graph's nodes, or of all graphs.

    Args:
        source: what the data are called in the store's attributes, and their file.
        site: "node" or "graph".
        ids: of the rows.
        known: coordinates beside the ids: see ``known_of``.
        edge_index: edges between the rows, ``(2, edges)``, where these are nodes.
    """
    decision = model.task.decide(moments.mean, model.calibration)
    writer = store.item(
        name,
        names=model.task.names,
        dims=(site,),
        shape=(len(ids),),
        coords={site: ids, **known},
        decided=decision is not None,
        per_name=is_per_name(model.task),
        statements=model.statements,
        attrs={source[0]: Path(source[1]).name},
    )
    sites_last = moments.map(lambda part: part.T)
    stated = {name: value.T for name, value in state(model.statements, moments, edge_index).items()}
    writer.write(
        (slice(0, len(ids)),),
        sites_last,
        decision.T if decision is not None and decision.ndim > 1 else decision,
        stated,
    )


def known_of(site: str, info: GraphInfo, splits: NDArray[Any] | None, y: NDArray[Any] | None) -> dict[str, Any]:
    """Return known facts of predicted rows as coordinates: ``split``, and ``target`` as in the files.

    A target is a class name, empty where there is none, or quantities or several labels ``(channel, rows)``, NaN where
    not known.

    Args:
        splits: of each row the name of its split, or the empty text; None where the data are not those of the run.
        y: labels as they were given; None: there are none.
    """
    known: dict[str, Any] = {} if splits is None else {"split": (site, splits.astype(object))}
    if y is None:
        return known
    if info.target.kind != "classes":
        try:
            amounts = read_quantities(Path(), y) if info.regression else read_labels(Path(), y)
        except InputError:  # other data may call anything y; a prediction does not need it
            return known
        if amounts.shape[1] != len(info.target.names):
            return known
        return known | {"target": (("channel", site), amounts.T)}
    indices = index_classes(y, list(info.classes.values)) if y.ndim == 1 else np.full(len(y), UNKNOWN)
    names = np.array([*info.classes.names, ""], dtype=object)
    return known | {"target": (site, names[indices])}  # the last, of UNKNOWN, is empty


def splits_of(info: GraphInfo, ids: Any) -> NDArray[Any]:
    """Return the split of each of the run's own items by its id; empty for one in none."""
    place = {name: split for split in SPLITS for name in info.split.of(split)}
    return np.array([place.get(str(name), "") for name in ids], dtype=object)
