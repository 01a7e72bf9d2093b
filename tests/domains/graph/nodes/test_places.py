"""Positional encodings, a virtual node and known classes, from the settings of a run to its predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import multiunet
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphPredict, GraphTrain
from multiunet.domains.graph.nodes.dataset import WholeGraph
from multiunet.domains.graph.nodes.parts import GraphParts
from multiunet.domains.graph.nodes.survey import survey
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder


def test_a_run_records_them_and_its_predictions_are_always_the_same(save: Callable[..., Path], tmp_path: Path) -> None:
    path, run = save(), tmp_path / "run"
    config = GraphTrain(graph=path, positional_encoding="laplacian:3", virtual_node=True, epochs=2)
    multiunet.train("graph", config, run, progress=Progress())
    info = RunFolder.open(run)
    inputs = multiunet.load(run).info.inputs
    assert inputs.positions.kind == "laplacian"
    assert inputs.channels == 6 + 3
    assert inputs.flipped == slice(6, 9)
    assert info.path == run
    for name in ("one", "two"):
        multiunet.predict(run, GraphPredict(samples=2, graph=path), tmp_path / f"{name}.zarr")
    [one], [two] = (multiunet.open_prediction(tmp_path / f"{name}.zarr").values() for name in ("one", "two"))
    np.testing.assert_array_equal(one["mean"], two["mean"])


def test_signs_change_in_training_alone(save: Callable[..., Path]) -> None:
    known = survey(GraphTrain(graph=save(), positional_encoding="laplacian:3"))
    for data in (WholeGraph(known, views=2), GraphParts(known, 20, seed=0)):
        drawn = [data.draw(0, np.random.default_rng(seed)).field.x.to_dense() for seed in range(9)]
        assert len({tuple(x[:, 6:].flatten().tolist()) for x in drawn}) > 3
        again = data.draw(0, np.random.default_rng(0)).field.x.to_dense()
        assert (again == drawn[0]).all()
    assert (WholeGraph(known).draw(0, np.random.default_rng(1)).field.x[:, :6] == known.field.x[:, :6]).all()


def test_known_classes_are_put_in_on_demand(
    save: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, run = save(x=np.random.default_rng(3).normal(size=(24, 6)).astype(np.float32)), tmp_path / "run"
    multiunet.train("graph", GraphTrain(graph=path, epochs=1, lr=1e-6), run, progress=Progress())
    report = multiunet.evaluate(run, GraphEvaluate(samples=2, correct_and_smooth=True))
    assert "Correct & Smooth is applied" in caplog.text
    assert "corrected and smoothed" in str(report.prediction)
    assert {"label_propagation", "correct_and_smooth"} <= report.baselines.keys()
    multiunet.predict(run, GraphPredict(samples=2, correct_and_smooth=True), tmp_path / "p.zarr")
    [data] = multiunet.open_prediction(tmp_path / "p.zarr").values()
    np.testing.assert_allclose(data["mean"].sum("channel"), 1, atol=1e-5)
    assert bool((data["total"] == data["epistemic"] + data["aleatoric"]).all())
    with pytest.raises(InputError, match="needs the training nodes"):
        multiunet.predict(run, GraphPredict(graph=path, correct_and_smooth=True), tmp_path / "q.zarr")
    with np.load(path) as archive:
        np.savez(tmp_path / "other.npz", **(dict(archive) | {"x": np.ones((24, 6), np.float32)}))
    other = multiunet.evaluate(run, GraphEvaluate(samples=2, graph=tmp_path / "other.npz"))
    assert set(other.baselines) == {"majority", "mlp"}


@pytest.mark.parametrize("given", ["laplacian:0", "laplacian:65", "fourier:8", "laplacian:", "random-walk:x"])
def test_what_is_not_understood_is_refused(given: str) -> None:
    for kind in (GraphTrain, GraphsTrain):
        where = {"graph" if kind is GraphTrain else "graphs": Path("g.npz")}
        with pytest.raises(ValueError, match=f"positional_encoding={given}` is not understood; give laplacian:K"):
            kind(**where, positional_encoding=given)
