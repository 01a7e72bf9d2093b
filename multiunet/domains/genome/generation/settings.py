"""Settings of generators of DNA: their own defaults, and what they do without. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multiunet.domains.task_defaults import fill

DEFAULTS: Mapping[str, Any] = {
    "batch_size": 8,
    "bin_size": 1,
    "calibrate": False,
    "dropout": 0.0,
    "ema": 0.999,
    "epochs": 40,
    "lr": 1e-3,
    "steps_per_epoch": 100,
    "widths": [64, 96, 128],
    "window": 2048,
}
"""Defaults of ``task=generate``, where they are others than those of predictions."""

ELSEWHERE = {
    "network": "its network is a U-Net on bases",
    "targets": "it learns from the sequences alone",
    "annotation": "it learns from the sequences alone",
    "reading_frames": "it reads bases that are masked",
    "bin_size": "each base is a site of its own",
    "strand_pairs": "it has no tracks",
    "missing": "it has no tracks",
    "transform": "it has no tracks",
    "soft_clip": "it has no tracks",
    "peaks": "it learns from all sequences",
    "mutation_rate": "what changes bases would be in the samples, too",
    "loss": "its loss is the surprise of masked bases",
    "stem_channels": "bases are not reduced to bins",
    "folds": "name the chromosomes to hold out by `val_chroms` and `test_chroms`",
    "keep_last": "samples are made with the average of the weights",
}
"""Settings of predictions that a generator has not, and why."""


def fill_defaults(given: Any) -> Any:
    """Return settings with the defaults of their task, where they are given as a mapping."""
    generates = isinstance(given, Mapping) and given.get("task") == "generate"
    return fill(DEFAULTS, given) if generates else given
