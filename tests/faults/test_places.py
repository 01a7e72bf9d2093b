"""Places that cannot be written, or hold something else: said before any work, nothing of the user's is touched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from multiunet_datasets import synthetic

from multiunet.errors import RunError
from multiunet.training import loop

TRAIN = ["train", "graph", "--graph", "graph.npz", "--epochs", "2"]
PREDICT = ["predict", "graph", "--run", "run", "--samples", "2"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    synthetic.write_graph(tmp_path, nodes=60)
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path, multiunet: Callable) -> Path:
    assert multiunet(*TRAIN, "--out", "run").code == 0
    return here / "run"


def refused(multiunet: Callable, words: list[str], *said: str) -> None:
    """Refused, and so is the dry run."""
    for more in ([], ["--dry-run"]):
        done = multiunet(*words, *more)
        assert done.code == 3, (words, more, done.err)
        assert "Traceback" not in done.err
        for text in said:
            assert text in done.err, (text, done.err)


def test_a_run_is_not_made_where_something_is(here: Path, multiunet: Callable) -> None:
    Path("full").mkdir()
    Path("full/mine").write_text("x")
    refused(multiunet, [*TRAIN, "--out", "file/run"], "file is a file")
    refused(multiunet, [*TRAIN, "--out", "file"], "exists already")
    refused(multiunet, [*TRAIN, "--out", "full"], "neither empty")
    assert os.listdir("full") == ["mine"]
    assert Path("file").read_text() == "mine"


def test_a_run_is_not_made_where_one_may_not_write(
    here: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("locked").mkdir()
    real = os.access  # permissions do not bind the superuser, whom tests may run as
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked" and real(path, mode))
    refused(multiunet, [*TRAIN, "--out", "locked/run"], "no write permission in")
    assert os.listdir("locked") == []


def test_a_run_of_other_settings_is_not_resumed(run: Path, multiunet: Callable) -> None:
    refused(multiunet, [*TRAIN, "--out", "run", "--resume", "auto", "--seed", "4"], "seed: 0 then, 4 now")
    assert "seed: 0" in (run / "config.yaml").read_text().splitlines()


def test_predictions_replace_predictions_only(run: Path, multiunet: Callable) -> None:
    Path("other.zarr").mkdir()
    Path("other.zarr/zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    Path("text.zarr").write_text("mine")
    for name in ("other.zarr", "text.zarr"):
        refused(multiunet, [*PREDICT, "--out", name, "--overwrite"], name, "not a prediction of multiunet")
    assert os.listdir("other.zarr") == ["zarr.json"]
    assert Path("text.zarr").read_text() == "mine"
    refused(multiunet, [*PREDICT, "--out", "p"], ".zarr")
    refused(multiunet, [*PREDICT, "--out", "file/p.zarr"], "file is a file")
    assert multiunet(*PREDICT, "--out", "p.zarr").code == 0
    refused(multiunet, [*PREDICT, "--out", "p.zarr"], "--overwrite")
    assert multiunet(*PREDICT, "--out", "p.zarr", "--overwrite").code == 0


def test_exports_replace_nothing_unless_told(run: Path, multiunet: Callable) -> None:
    Path("out").mkdir()
    Path("out/graph.csv").write_text("mine")
    refused(multiunet, [*PREDICT, "--out", "p.zarr", "--export", "out"], "not empty")
    refused(multiunet, [*PREDICT, "--out", "p.zarr", "--export", "file"], "is a file")
    assert Path("out/graph.csv").read_text() == "mine"
    assert not Path("p.zarr").exists()
    assert multiunet(*PREDICT, "--out", "p.zarr", "--export", "out", "--overwrite").code == 0
    assert Path("out/graph.csv").read_text().startswith("id,split,target,class,")


def test_a_dry_run_of_a_prediction_reads_its_input(run: Path, multiunet: Callable) -> None:
    refused(multiunet, [*PREDICT, "--out", "p.zarr", "--graph", "nowhere.npz"], "nowhere.npz")
    done = multiunet(*PREDICT, "--out", "p.zarr", "--dry-run", "--json")
    assert json.loads(done.out)["inputs"] == ["graph"]
    assert not Path("p.zarr").exists()


def test_a_training_that_diverges_says_so(here: Path, multiunet: Callable) -> None:
    done = multiunet(*TRAIN, "--out", "run", "--lr", "1e30", "--clip", "1e30", "--epochs", "30")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(("error: the loss is", "error: the network's output is not finite"))
    assert "Traceback" not in done.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_leaves_no_run(here: Path, multiunet: Callable) -> None:
    refused(multiunet, [*TRAIN, "--out", "run", "--device", "cuda"], "--device cuda cannot be used here")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("dataset.json", "{}", "dataset.json"),
        ("config.yaml", "3: 4\n", "config.yaml"),
        ("config.yaml", "domain: ima\n", "'ima'"),
        ("config.yaml", "seed: 1\n", "its domain is ''"),
    ],
)
def test_damaged_run_folders_are_named(run: Path, multiunet: Callable, name: str, content: str, said: str) -> None:
    (run / name).write_text(content)
    for words in (["evaluate", "graph", "--run", "run"], ["info", "run"], [*PREDICT, "--out", "p.zarr"]):
        done = multiunet(*words)
        assert (done.code, "Traceback" in done.err) == (3, False), done.err
        assert said in done.err


def test_damaged_logs_do_not_stop_a_run(run: Path, multiunet: Callable) -> None:
    (run / "STATUS").write_bytes(b"\xff\xfe")
    assert multiunet("info", "run").code == 0
    (run / "metrics.jsonl").write_bytes(b"[1]\n\xff")
    assert multiunet(*TRAIN, "--out", "run", "--resume", "auto").code == 0


def test_info_speaks_of_a_run_whose_best_checkpoint_is_lost(run: Path, multiunet: Callable) -> None:
    best = run / "checkpoints" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:100])
    done = multiunet("info", "run")
    assert done.code == 0, done.err
    assert "best.safetensors" in done.err
    assert "using last.safetensors" in done.err


def test_brackets_in_a_name_are_no_markup(run: Path, multiunet: Callable) -> None:
    run.rename("run[red]x[")
    best = Path("run[red]x[/checkpoints/best.safetensors")
    best.write_bytes(b"")
    done = multiunet("predict", "graph", "--run", "run[red]x[", "--samples", "2", "--out", "p.zarr")
    assert done.code == 0, done.err
    assert "run[red]x[/checkpoints" in done.err.replace("\n", "")


def test_a_failed_run_leaves_the_folder_that_was_there(
    here: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was, and none where there was none."""
    Path("mine").mkdir()

    def fail(*given: object, **more: object) -> None:
        raise RunError("it cannot be done")

    monkeypatch.setattr(loop, "fit", fail)
    for out in ("mine", "new"):
        assert multiunet(*TRAIN, "--out", out).code == 1
    assert list(Path("mine").iterdir()) == []
    assert not Path("new").exists()


def test_folds_go_into_no_run(here: Path, multiunet: Callable) -> None:
    synthetic.write_graph_set(here / "set", count=12)
    folds = ["train", "graphs", "--graphs", "set/graphs.npz", "--epochs", "1", "--widths", "4,8", "--folds", "2"]
    assert multiunet(*folds, "--fold", "0", "--out", "one").code == 0
    before = sorted(Path("one").iterdir())
    refused(multiunet, [*folds, "--out", "one", "--resume", "auto"], "holds a single run")
    assert sorted(Path("one").iterdir()) == before
    Path("other").mkdir()
    Path("other/mine").write_text("x")
    refused(multiunet, [*folds, "--out", "other", "--resume", "auto"], "neither empty")


def test_a_dry_run_of_folds_looks_into_theirs(here: Path, multiunet: Callable) -> None:
    synthetic.write_graph_set(here / "set", count=12)
    folds = ["train", "graphs", "--graphs", "set/graphs.npz", "--epochs", "1", "--widths", "4,8", "--folds", "2"]
    assert multiunet(*folds, "--out", "cv").code == 0
    assert multiunet(*folds, "--out", "cv", "--resume", "auto", "--dry-run").code == 0
    refused(multiunet, [*folds, "--out", "cv", "--resume", "auto", "--lr", "0.5"], "fold-0: cannot resume", "lr: ")


def test_lost_checkpoints_are_told(run: Path, multiunet: Callable) -> None:
    again = [*TRAIN, "--out", "run", "--resume", "auto"]
    (run / "checkpoints/best.safetensors").rename("best")
    done = multiunet(*again)
    assert (done.code, "best weights are no longer there" in done.out) == (0, True), done.err
    done = multiunet(*again, "--json")
    assert json.loads(done.out)["best_epoch"] is None
    Path("best").rename(run / "checkpoints/best.safetensors")
    for name in ("last", "previous"):
        (run / f"checkpoints/{name}.safetensors").unlink(missing_ok=True)
    done = multiunet(*again)
    assert (done.code, "last.safetensors: is missing" in done.err) == (3, True), done.err


def test_exports_do_not_go_into_the_prediction(run: Path, multiunet: Callable) -> None:
    for folder in ("p.zarr", "p.zarr/files"):
        refused(multiunet, [*PREDICT, "--out", "p.zarr", "--export", folder], "is in the prediction itself")
    assert not Path("p.zarr").exists()


def test_a_demo_is_not_made_in_a_file(here: Path, multiunet: Callable) -> None:
    done = multiunet("demo", "graph", "--out", "file")
    assert (done.code, "file is a file" in done.err) == (3, True), done.err


def test_info_speaks_of_a_run_without_weights(run: Path, multiunet: Callable) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "STATUS").write_text("created\n")
    done = multiunet("info", "run", "--json")
    assert done.code == 0, done.err
    shown = json.loads(done.out)
    assert shown["status"] == "created"
    assert "was trained, but its weights are gone from run/checkpoints; restore them" in shown["weights"]
    assert (shown["domain"], shown["config"]["epochs"]) == ("graph", 2)
    Path("run/metrics.jsonl").unlink()
    assert "no checkpoint yet" in multiunet("info", "run").out
    again = multiunet(*TRAIN, "--out", "run", "--resume", "auto")
    assert again.code == 0, again.err


def test_damaged_checkpoints_are_named_once_with_what_to_do(run: Path, multiunet: Callable) -> None:
    for file in (run / "checkpoints").glob("*.safetensors"):
        file.write_bytes(b"damaged")
    said = "checkpoints: best.safetensors, last.safetensors"
    refused(multiunet, [*PREDICT, "--out", "p.zarr"], said, "restore the files from a copy, or train anew")
    again = multiunet(*TRAIN, "--out", "run", "--resume", "auto")
    assert (again.code, "is damaged" in again.err, "train anew" in again.err) == (3, True, True), again.err
    assert multiunet("evaluate", "graph", "--run", "run").err.count("damaged") == 1
    shown = multiunet("info", "--run", "run")  # the rest of the run is there
    assert shown.code == 0, shown.err
    assert said in shown.out
    assert all(part in shown.out for part in ("status", "2 of 2 epochs", "nodes to train", "parameters"))


def test_a_run_whose_checkpoints_are_gone_begins_anew_with_a_word(run: Path, multiunet: Callable) -> None:
    shutil.rmtree(run / "checkpoints")
    done = multiunet(*TRAIN, "--out", "run", "--resume", "auto")
    assert (done.code, "its checkpoints are gone, so training begins anew" in done.err) == (0, True), done.err
