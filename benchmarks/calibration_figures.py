"""Figures of ``calibration.py`` that belong to one data set: sets of nodes, other conditions, fractions of phases."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uncertainty_peers as peers
from calibration_runs import DATA, Trained
from micrographs import table
from stated import (
    Table,
    Values,
    auroc,
    collect,
    keep,
    read,
    spread,
)
from torch import Tensor

from multiunet.domains.graph.prediction import predict_moments
from multiunet.domains.runs import Run
from multiunet.uncertainty import Calibration
from multiunet.uncertainty.conformal import make_sets, pick_true, quantile, score_classes
from multiunet.uncertainty.sums import Totals, fit_items


def measure_sets(parts: Sequence[Trained], samples: int) -> dict[str, Any]:
    """Return coverage and mean size of the sets of test nodes at 90 %, mean and deviation over the seeds."""
    found: dict[str, list[dict[str, float]]] = {}
    for part in parts:
        for count in (1, samples):
            name = "network" if count == 1 else "samples"
            for method, sets in node_sets(part, count).items():
                found.setdefault(f"{method}, {name}, calibrated", []).append(sets)
            halves = random_halves(*(part.calibrated(split, count) for split in ("val", "test")))
            found.setdefault(f"lac, {name}, calibrated, random halves", []).append(halves)
        if peers.installed("torchcp"):
            every, _, val, test, edges = nodes_of(part.run, 1)
            theirs = peers.torchcp_sets(part.raw("val", 1), part.raw("test", 1), 0.9)
            theirs |= peers.torchcp_daps(every, labels_of(part.run), edges, val, test, 0.9)
            for method, sets in theirs.items():
                found.setdefault(f"torchcp {method}", []).append(sets)
    return {method: spread(rows) for method, rows in found.items()}


def random_halves(val: Table, test: Table, draws: int = 50) -> dict[str, float]:
    """Return coverage and mean size of LAC sets of a random half of validation and test, limits from the other half."""
    p, y, rng = (
        np.concatenate([val.mean, test.mean]),
        np.concatenate([val.target, test.target]),
        np.random.default_rng(0),
    )
    found = []
    for _ in range(draws):
        known, new = np.array_split(rng.permutation(len(y)), 2)
        limit = quantile(list(1 - p[known, y[known]]), 0.9).value
        sets = make_sets(torch.from_numpy(1 - p[new]), limit, torch.from_numpy(p[new]))
        found.append(peers.size_and_coverage(sets, y[new]))
    return {key: statistics.mean(one[key] for one in found) for key in found[0]}


def node_sets(part: Trained, samples: int) -> dict[str, dict[str, float]]:
    """Return coverage and mean size of sets of the calibrated probabilities, their limits from validation."""
    _, calibrated, val, test, edges = nodes_of(part.run, samples, part.calibrations[samples])
    y = labels_of(part.run)
    found = {}
    for method in ("lac", "aps", "daps"):
        scores = score_classes(method, calibrated, edges)
        limit = quantile(list(pick_true(scores[val], y[val])), 0.9).value
        sets = make_sets(scores[test], limit, calibrated[test])
        found[method] = peers.size_and_coverage(sets, y[test].numpy())
    return found


def nodes_of(run: Run, samples: int, calibration: Calibration | None = None) -> tuple[Tensor, ...]:
    """Return probabilities of all nodes, the same calibrated, the validation and test nodes, and the edges."""
    nodes = {split: next(iter(read(run, split, samples).items.values())) for split in ("val", "test")}
    raw = predict_moments(run.model, nodes["test"].field, torch.device("cpu"), samples, 0)
    calibrated = raw if calibration is None else calibration.apply(raw)
    val, test = (nodes[split].scored.nonzero()[:, 0] for split in ("val", "test"))
    return raw.mean, calibrated.mean, val, test, nodes["test"].field.edge_index


def labels_of(run: Run) -> Tensor:
    """Return the classes of all nodes whose split is validation or test; -1 elsewhere."""
    nodes = [next(iter(read(run, split, 1).items.values())) for split in ("val", "test")]
    return torch.where(nodes[0].scored, nodes[0].target, torch.where(nodes[1].scored, nodes[1].target, -1))


def measure_elsewhere(part: Trained, samples: int, folder: Path) -> dict[str, Any]:
    """Return how well each number tells images of other conditions from those of the test split, image by image."""
    names = json.loads((DATA / "super_alloy/splits.json").read_text())["Super3"]["different_test"]
    source = DATA / "super_alloy"
    rows = [(source / f"images/{name}.png", source / f"labels/{name}.png", "test") for name in names]
    images = table(folder / "different.csv", rows)[1]
    other = keep(folder / f"tables/different-{samples}.npz", partial(collect, part.run, "test", samples, images=images))
    both = [part.raw("test", samples), other]
    found: dict[str, Any] = {}
    for number in ("total", "epistemic", "aleatoric"):
        each = [[float(getattr(one.of(at), number).sum(axis=1).mean()) for at in range(len(one.names))] for one in both]
        stated = np.array([*each[0], *each[1]])
        found[number] = {
            "auroc": auroc(stated, np.arange(len(stated)) >= len(each[0])),
            "test": each[0],
            "other": each[1],
        }
    return found


def measure_fractions(val: Table, test: Table) -> dict[str, Any]:
    """Return how good the intervals of class fractions of test images are, learnt from all other validation images.

    Of folds each image is validated by one network and tested by another, and is left out of what its own interval is
    learnt from.
    """
    totals, true = sums_of(val)
    tested, truth = sums_of(test)
    errors, deviations, held, widths = [], [], [], []
    for at, image in enumerate(test.names):
        others = [place for place, name in enumerate(val.names) if name != image]
        found = fit_items(totals[others], true[others]).interval(tested[[at]], 0.9)
        sites = tested.sites[at]
        errors.append((found.estimate - truth[at]) / sites)
        deviations.append(found.deviation / sites)
        held.append((found.low <= truth[at]) & (truth[at] <= found.high))
        widths.append((found.high - found.low) / sites)
    z = np.array(errors) / np.array(deviations)
    together = fit_items(totals, true).interval(tested, 0.9)
    sites = tested.sites.sum(axis=0)
    return {
        "all_images_by_class": [
            {"low": float(low), "high": float(high), "true": float(share)}
            for low, high, share in zip(together.low / sites, together.high / sites, truth.sum(axis=0) / sites)
        ],
        "fractions": int(z.size),
        "calibrated_on": len(val.names),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "rms_z": float(np.sqrt((z**2).mean())),
        "coverage_90": float(np.mean(held)),
        "coverage_90_by_class": np.mean(held, axis=0).tolist(),
        "interval_width_90_by_class": np.mean(widths, axis=0).tolist(),
        "true_by_class": (truth / tested.sites).mean(axis=0).tolist(),
        "argmax_by_class": [float((test.mean.argmax(axis=1) == k).mean()) for k in range(truth.shape[1])],
    }


def sums_of(table: Table) -> tuple[Totals, Values]:
    """Return the sums over each item, and the true ones, ``(items, classes)``."""
    each = [table.of(at) for at in range(len(table.names))]
    classes = table.mean.shape[1]
    sites = np.array([[len(one.target)] * classes for one in each], dtype=np.float64)
    mean, variance = (np.array([getattr(one, kind).sum(axis=0) for one in each]) for kind in ("mean", "total"))
    true = np.array([np.bincount(one.target, minlength=classes) for one in each], dtype=np.float64)
    return Totals(sites, mean, variance), true
