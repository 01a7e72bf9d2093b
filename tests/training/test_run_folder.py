"""Run folders: made, logged to, rewound."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import yaml

from multiunet import InputError
from multiunet.training import checkpoint as checkpoints
from multiunet.training import run_folder
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.run_folder import RunFolder


def test_run_folder_is_not_made_over_something(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2})
    with pytest.raises(InputError, match="`resume=auto`"):
        RunFolder.create(tmp_path / "run", {}, {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(InputError, match="neither empty"):
        RunFolder.create(tmp_path / "other", {}, {})


def test_a_run_is_made_where_a_process_died_in_making_one(tmp_path: Path) -> None:
    half = RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2}).path
    (half / "config.yaml").unlink()
    RunFolder.check_free(half)  # a process that was asked to stop removes its lock
    (half / "STATUS").unlink()
    with pytest.raises(InputError, match="neither empty"):
        RunFolder.check_free(half)  # somebody else's files, for all we know
    (half / "LOCK").write_text("process 1 on nowhere")
    (half / ".STATUS.17.tmp").write_text("")
    assert RunFolder.create(half, {"a": 3}, {}).config() == {"a": 3}


def test_a_run_whose_making_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise SystemExit(143)

    monkeypatch.setattr(run_folder, "environment", stop)
    with pytest.raises(SystemExit):
        RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2})
    assert list((tmp_path / "run").iterdir()) == []


def test_runs_are_discarded_without_what_others_put_there(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2})
    run.log({"epoch": 1})
    (run.path / "mine").write_text("")
    run.discard()
    assert [path.name for path in run.path.iterdir()] == ["mine"]


def test_a_run_whose_last_checkpoints_are_gone_does_not_begin_anew(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    checkpoints.save(run.best, Checkpoint({"model.n": torch.tensor(1)}, {"epoch": 3, "scores": {}}))
    with pytest.raises(InputError, match=r"last\.safetensors: is missing, and best"):
        run.resumable()


def test_what_is_no_number_is_null_in_logs(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    run.log({"epoch": 1, "loss": math.nan, "iou": [0.5, math.inf]})
    assert (run.path / "metrics.jsonl").read_text() == '{"epoch": 1, "loss": null, "iou": [0.5, null]}\n'


def test_a_table_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    run.log({"epoch": 1, "loss": 0.5})
    run.write_csv()
    assert (run.path / "metrics.csv").read_bytes() == b"epoch,loss\n1,0.5\n"
    (run.path / "metrics.csv").unlink()
    (run.path / "metrics.csv").mkdir()
    run.write_csv()


def test_run_folder_says_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        RunFolder.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.open(tmp_path)


def test_run_folder_holds_what_it_was_given(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"lr": 0.1}, {"classes": [0, 7]})
    assert RunFolder.open(run.path).config() == yaml.safe_load((run.path / "config.yaml").read_text()) == {"lr": 0.1}
    assert run.dataset() == {"classes": [0, 7]}
    assert json.loads((run.path / "env.json").read_text())["versions"]["torch"] == torch.__version__
    with pytest.raises(InputError, match="no checkpoint yet"):
        run.weights()


def test_log_survives_a_cut_off_line_and_rewinds(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    for epoch in (1, 2, 3):
        run.log({"epoch": epoch, "loss": epoch / 2})
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "lo')
    run.rewind(2)
    assert [row["epoch"] for row in run.history()] == [1, 2]
    assert (run.path / "metrics.csv").read_text().splitlines() == ["epoch,loss", "1,0.5", "2,1.0"]


def test_a_damaged_last_checkpoint_does_not_replace_the_one_before(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    for step in (1, 2, 3):
        run.save_last(Checkpoint({"model.n": torch.tensor(step)}, {"progress": step}))
    run.last.write_bytes(b"damaged")
    again = RunFolder.open(run.path)
    assert again.resumable()[0].state["progress"] == 2
    again.save_last(Checkpoint({"model.n": torch.tensor(5)}, {"progress": 5}))
    saved = (run.last, checkpoints.previous(run.last))
    assert [checkpoints.load(path).state["progress"] for path in saved] == [5, 2]
    again.save_last(Checkpoint({"model.n": torch.tensor(6)}, {"progress": 6}))
    assert [checkpoints.load(path).state["progress"] for path in saved] == [6, 5]
