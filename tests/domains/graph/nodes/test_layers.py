"""Nodes that a run predicts layer by layer have the numbers of a prediction at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.graph.nodes import layers
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

SHORT = {"epochs": 1, "widths": [4, 4], "pool": "topk", "calibrate": False}


def test_parts_of_a_run(
    save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    training.train("graph", {"graph": save(), **SHORT}, tmp_path / "run", progress=Progress())
    used: list[int] = []
    kept = layers.predict_by_layers
    monkeypatch.setattr(layers, "predict_by_layers", lambda *a, **b: used.append(a[3]) or kept(*a, **b))

    def predict(name: str, **settings: int) -> dict[str, np.ndarray]:
        inference.predict(tmp_path / "run", {"samples": 2, **settings}, tmp_path / name, progress=Progress())
        [found] = open_prediction(tmp_path / name).values()
        return {variable: found[variable].values for variable in ("mean", "epistemic", "total")}

    whole, parts = predict("whole.zarr"), predict("parts.zarr", part_nodes=7)
    monkeypatch.setattr(layers, "free_memory", lambda device: 1000)
    automatic = predict("automatic.zarr")
    assert used == [7, layers.PART]
    assert "it goes layer by layer, 100,000 nodes at a time (`part_nodes`)" in caplog.text
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(automatic[name], values, atol=1e-6, err_msg=name)
    monkeypatch.undo()
    scores = [inference.evaluate(tmp_path / "run", {"samples": 2, "part_nodes": nodes}) for nodes in (None, 7)]
    assert scores[1].metrics["nll"] == pytest.approx(scores[0].metrics["nll"], abs=1e-5)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".layers")]


def test_a_network_that_needs_all_nodes_says_so(save: Callable[..., Path], tmp_path: Path) -> None:
    settings = {"graph": save(), **SHORT, "pool": "mincut", "clusters": 3}
    training.train("graph", settings, tmp_path / "run", progress=Progress())
    with pytest.raises(InputError, match=r"`part_nodes=7`: SoftPool needs all nodes at once.*; leave it out"):
        inference.predict(tmp_path / "run", {"part_nodes": 7}, tmp_path / "p.zarr", progress=Progress())
