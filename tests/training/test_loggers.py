from __future__ import annotations

from pathlib import Path

import pytest
from multiunet_datasets import synthetic
from PIL import Image

from multiunet.domains import training
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training import loggers
from multiunet.training.loggers import LoggedRecords, check_loggers, open_loggers
from multiunet.training.records import MemoryRecords
from multiunet.training.run_folder import RunFolder


def train(folder: Path, **given) -> RunFolder:
    """Train a small graph network, two epochs; return its run."""
    if not (folder / "graph.npz").exists():
        synthetic.write_graph(folder, nodes=60)
    given = {"graph": folder / "graph.npz", "epochs": 2, "widths": [4, 4], "calibrate": False, **given}
    training.train("graph", given, folder / "run", "auto", progress=Progress())
    return RunFolder.open(folder / "run")


def read_events(run: Path) -> dict[int, float]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("val_accuracy")}


def test_tensorboard_has_the_scores_of_each_epoch_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = train(tmp_path, logger="tensorboard")
    expected = {row["epoch"]: row["val_accuracy"] for row in run.history()}
    assert read_events(run.path) == pytest.approx(expected)
    # gone on from epoch 1, what was logged of epoch 2 before counts no more
    [logger] = open_loggers(["tensorboard"], run.path, {}, 1)
    records = LoggedRecords(MemoryRecords(), [logger])
    records.log({"epoch": 2, "val_accuracy": 0.125})
    records.finish()
    assert read_events(run.path) == pytest.approx({1: expected[1], 2: 0.125})


def test_mlflow_has_one_entry_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "tracking").as_uri())
    from mlflow.tracking import MlflowClient

    run, client = train(tmp_path, logger="mlflow"), MlflowClient()
    train(tmp_path, logger="mlflow")  # goes on, with nothing left to do
    [entry] = client.search_runs([client.get_experiment_by_name("multiunet").experiment_id])
    assert (entry.info.status, entry.data.params["epochs"]) == ("FINISHED", "2")
    found = {one.step: one.value for one in client.get_metric_history(entry.info.run_id, "val_accuracy")}
    assert found == pytest.approx({row["epoch"]: row["val_accuracy"] for row in run.history()})


def test_a_missing_package_is_named_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"`logger=mlflow` needs a package; pip install 'multiunet\[mlflow\]'"):
        train(tmp_path, logger="mlflow")
    assert not (tmp_path / "run").exists()
    check_loggers([])


def test_a_logger_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def log_metrics(self, metrics, step) -> None:
            raise ConnectionError("server is down")

    records = LoggedRecords(MemoryRecords(), [Broken()])
    records.log({"epoch": 1, "loss": 0.5})
    records.log({"epoch": 2, "loss": 0.4})
    assert caplog.messages == ["Broken fails, and is left out from now on: server is down"]


def test_a_training_ends_with_a_picture_of_its_curves(tmp_path: Path) -> None:
    run = train(tmp_path)
    with Image.open(run.path / "curves.png") as picture:
        assert picture.width > 2 * picture.height  # losses, and the score beside them
    assert not (run.path / "tensorboard").exists()
