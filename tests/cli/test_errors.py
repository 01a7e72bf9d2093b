"""What is wrong is said in a line, with the exit code for its kind, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer
from multiunet_cli.process import command
from pydantic import Field


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train", "image", "--out", "r"], 2, "--images is required"),
        (["train", "genome", "--out", "r"], 2, "--fasta"),
        (["train", "graph", "--graph", "g.npz"], 2, "--out"),
        (["train", "image", "--imagess", "x", "--out", "r"], 2, "imagess"),
        (["train", "sound"], 2, "sound"),
        (["train", "graph", "--graph", "g.npz", "--out", "r", "--set", "lr"], 2, "KEY=VALUE"),
        (["train", "graph", "--graph", "g.npz", "--out", "r", "--epochs", "0"], 3, "--epochs must be 1 or more"),
        (["train", "graph", "--graph", "g.npz", "--out", "r", "--epochs", "many"], 2, "'--epochs': must be a whole"),
        (["export", "--run", "r", "--to", "onxx", "--out", "x"], 2, "'--to': 'onxx' is not one of 'onnx', 'pt2'"),
        (["train", "graph", "--graph", "g.npz", "--out", "r", "--set", "epoch=3"], 3, "did you mean 'epochs'?"),
        (["train", "graph", "--graph", "g.npz", "--out", "r", "--config", "no.yaml"], 3, "no.yaml: no such file"),
        (["train", "graph", "--graph", "missing.npz", "--out", "r"], 3, "missing.npz"),
        (
            ["train", "graph", "--graph", "missing.npz", "--out", "r", "--device", "tpu"],
            3,
            "--device: unknown device",
        ),
        (["evaluate", "image", "--run", "no/such/run"], 3, "no such folder"),
        (["predict", "image", "--run", ".", "--images", "x", "--out", "p.zarr"], 3, "no run folder"),
        (["info", "."], 3, "no run folder"),
    ],
)
def test_errors_say_what_and_exit_by_kind(
    words: list[str], code: int, said: str, multiunet: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = multiunet(*words)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_run_of_another_domain_is_named(worlds: dict, multiunet: Callable, tmp_path: Path) -> None:
    assert multiunet("train", "graph", *worlds["graph"].train, "--out", tmp_path / "run").code == 0
    done = multiunet("evaluate", "image", "--run", tmp_path / "run")
    assert done.code == 3
    assert "a run of domain 'graph', not 'image'" in done.err


def test_damaged_runs_are_named(worlds: dict, multiunet: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert multiunet("train", "graph", *worlds["graph"].train, "--out", run).code == 0
    best, config = run / "checkpoints/best.safetensors", (run / "config.yaml").read_text()
    best.write_bytes(best.read_bytes()[:-100])
    fallen_back = multiunet("evaluate", "graph", "--run", run)
    assert fallen_back.code == 0
    assert "using last.safetensors" in fallen_back.err
    for name in ("last", "previous"):
        (run / f"checkpoints/{name}.safetensors").write_bytes(b"")
    done = multiunet("evaluate", "graph", "--run", run)
    assert done.code == 3
    assert "best.safetensors" in done.err
    (run / "config.yaml").write_text(config + "unheard_of: 1\n")
    done = multiunet("info", run)
    assert done.code == 3
    assert "unheard_of" in done.err
    (run / "config.yaml").write_text("a: [")
    assert multiunet("info", run).code == 3


def test_a_signal_saves_and_a_process_exits_by_its_number(worlds: dict, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [*worlds["graph"].train, "--epochs", 100_000, "--out", run]
    process = subprocess.Popen(
        [sys.executable, "-m", "multiunet_cli", "train", "graph", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        # what runs the tests may ignore signals (nohup does), and a process inherits that
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    send_when_saved(process.pid, run, signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 129
    assert "state saved" in err
    assert "Traceback" not in err
    assert (run / "STATUS").read_text() == "stopped by SIGHUP; state saved\n"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_any_signal_that_asks_to_stop_does_so(
    signum: int, code: int, worlds: dict, multiunet: Callable, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    sending = threading.Thread(target=send_when_saved, args=(os.getpid(), run, signum))
    sending.start()
    done = multiunet("train", "graph", *worlds["graph"].train, "--epochs", 100_000, "--out", run)
    sending.join()
    assert done.code == code
    assert "state saved" in done.err
    assert "Traceback" not in done.err
    assert (run / "STATUS").read_text() == f"stopped by {signal.Signals(signum).name}; state saved\n"


def send_when_saved(process: int, run: Path, signum: int) -> None:
    """Send a signal to a process that trains, once there is something to go on from."""
    deadline = time.monotonic() + 120
    while not (run / "checkpoints/last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process, signum)


def test_a_broken_third_party_domain_is_shown_with_its_reason(
    multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint, entry_points

    from multiunet.domains import spec

    broken = EntryPoint("sound", "no_such_package:SPEC", spec.GROUP)
    monkeypatch.setattr(spec, "entry_points", lambda group: [*entry_points(group=group), broken])
    shown = multiunet("domains")
    assert shown.code == 0
    assert "sound      unavailable: ModuleNotFoundError" in shown.out
    assert "image" in shown.out
    assert "unavailable: ModuleNotFoundError" in multiunet("train", "--help").out
    for words in ([], ["--loud", "3", "here"]):
        done = multiunet("train", "sound", *words)
        assert done.code == 3
        assert "no_such_package" in done.err


@pytest.mark.parametrize("kind", ["no spec", "no panel"])
def test_a_strange_third_party_domain_takes_no_other_down(
    kind: str, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint, entry_points

    from multiunet.domains import spec
    from multiunet.domains.config import PredictOptions, TrainConfig

    class Settings(TrainConfig):
        volume: int = Field(3, description="how loud")

    module = ModuleType("strange")
    module.SPEC = "oops" if kind == "no spec" else spec.DomainSpec("sound", "waves", Settings, PredictOptions, "a:B")
    monkeypatch.setitem(sys.modules, "strange", module)
    strange = EntryPoint("sound", "strange:SPEC", spec.GROUP)
    monkeypatch.setattr(spec, "entry_points", lambda group: [*entry_points(group=group), strange])
    shown = multiunet("domains")
    assert shown.code == 0, shown.err
    assert f"sound      {'unavailable: TypeError' if kind == 'no spec' else 'waves'}" in shown.out
    helped = multiunet("train", "sound", "--help").out
    assert ("not a DomainSpec" if kind == "no spec" else "Other") in helped


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_said(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command(body)()
    assert ended.value.exit_code == 1
    assert "not enough memory" in capfd.readouterr().err


def test_doctor_finds_nothing_wrong(multiunet: Callable) -> None:
    done = multiunet("doctor")
    assert done.code == 0, done.err
    assert "network: ok" in done.out
