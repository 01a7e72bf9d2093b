"""Splits of the nodes of a graph by chance, and folds of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.calibration_file import read_fits
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.errors import InputError
from multiunet.progress import Progress

NO_MASKS: dict[str, Any] = {"train_mask": None, "val_mask": None, "test_mask": None}


def test_folds_test_every_node_once_and_every_class_alike(save: Callable[..., Path]) -> None:
    graph = save(**NO_MASKS)
    masks = [survey(part).masks for part in GraphTrain(graph=graph, folds=4).parts()]
    assert np.sum([own["test"] for own in masks], axis=0).tolist() == [1] * 24
    y = np.arange(24) >= 12
    for own in masks:
        assert np.bincount(y[own["test"]]).tolist() == [3, 3]
        assert not (own["train"] & own["test"]).any()
        assert own["val"].sum() == 4  # a fifth of 9 and of 9


def test_folds_beside_another_split_are_refused(save: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"masks of the graph both say how to split; leave `folds` out"):
        survey(GraphTrain(graph=save(), folds=3, fold=0))
    graph = save(**NO_MASKS)
    with pytest.raises(InputError, match=r"`folds` and `test_fraction` both say how to split; use one"):
        survey(GraphTrain(graph=graph, folds=3, fold=0, test_fraction=0.5))
    with pytest.raises(InputError, match=r"`folds=25`: there are 24 labelled nodes; a fold tests one at least"):
        survey(GraphTrain(graph=graph, folds=25, fold=0))


def test_folds_are_scored_pooled_and_calibrated_together(save: Callable[..., Path], tmp_path: Path) -> None:
    config = GraphTrain(graph=save(**NO_MASKS), folds=3, epochs=1, widths=[8, 8])
    folds = training.train_all("graph", config, tmp_path / "run", progress=Progress())
    assert [fold.name for fold in folds] == ["fold-0", "fold-1", "fold-2"]
    report = inference.evaluate(tmp_path / "run", {"samples": 2}, progress=Progress())
    assert len(report.metrics["each_fold"]["accuracy"]) == 3
    together = [fit for fit in read_fits(tmp_path / "run") if fit.members == 3]
    held_out = {name for part in config.parts() for name in survey(part).info.split.val}
    assert {fit.groups for fit in together} == {len(held_out)}  # a node counts once, whatever folds validate on it
