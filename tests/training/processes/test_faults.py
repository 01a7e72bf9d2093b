"""Two processes of a training of which one is stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from multiunet import train
from multiunet.training.checkpoint import load
from multiunet.training.run_folder import RunFolder


def start(run: Path, images: dict[str, Any], **more: Any) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Start a long training by two processes; return both once there is something to go on from."""
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in {**images, **more}.items()}
    program = f"from multiunet import train; train('image', {settings!r} | {{'devices': 2}}, {str(run)!r})"
    first = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not (run / "checkpoints/last.safetensors").exists():
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.05)
    others = psutil.Process(first.pid).children()
    [second] = [one for one in others if "multiunet.domains.helping" in " ".join(one.cmdline())]
    return first, second


def wait(first: subprocess.Popen[str], second: psutil.Process) -> str:
    """Return what the first process said, once both have ended, which they do soon."""
    said = first.communicate(timeout=60)[1]
    second.wait(timeout=30)
    return said


def test_a_process_that_is_killed_ends_the_other_with_a_message(tmp_path: Path, images: dict[str, Any]) -> None:
    first, second = start(tmp_path / "run", images, epochs=10_000)
    second.kill()
    began = time.monotonic()
    said = wait(first, second)
    assert time.monotonic() - began < 30
    assert "process 2 of 2 of this training has ended without a word" in said
    assert first.returncode == 1
    assert RunFolder(tmp_path / "run").read_status().startswith("stopped")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system stops no processes")
@pytest.mark.parametrize("stopped", [1, 0], ids=["second", "first"])
def test_a_process_that_is_stopped_ends_the_other_in_time(tmp_path: Path, images: dict[str, Any], stopped: int) -> None:
    first, second = start(tmp_path / "run", images, epochs=10_000, silent_minutes=0.1)
    began = time.monotonic()
    os.kill((first, second)[stopped].pid, signal.SIGSTOP)
    if stopped:
        said = first.communicate(timeout=120)[1]
    else:
        while second.status() != psutil.STATUS_ZOMBIE:  # the stopped process does not look after it
            assert time.monotonic() - began < 120
            time.sleep(0.1)
        os.kill(first.pid, signal.SIGCONT)  # it goes on, and finds nobody
        said = first.communicate(timeout=60)[1]
    assert 6 <= time.monotonic() - began < 60
    assert f"process {stopped + 1} of 2 of this training has given no sign of life for" in said
    assert not psutil.pid_exists(second.pid)
    assert RunFolder(tmp_path / "run").read_status().startswith("stopped")


@pytest.mark.slow
def test_without_the_first_process_the_other_ends(tmp_path: Path, images: dict[str, Any]) -> None:
    first, second = start(tmp_path / "run", images, epochs=10_000)
    first.kill()
    assert "process 1 of 2 of this training has ended without a word" in wait(first, second)
    assert RunFolder(tmp_path / "run").read_status().startswith("stopped: killed")


@pytest.mark.slow
def test_a_signal_to_any_stops_all_and_one_process_goes_on_to_the_same_bits(
    tmp_path: Path, images: dict[str, Any]
) -> None:
    long = {**images, "epochs": 3, "steps_per_epoch": 50}
    first, second = start(tmp_path / "run", long)
    os.kill(second.pid, signal.SIGTERM)
    assert "stopped by SIGTERM; state saved" in wait(first, second)
    reached = load(tmp_path / "run/checkpoints/last.safetensors").state["progress"]
    assert 0 < 50 * reached["epoch"] + reached["step"] < 150
    train("image", long, tmp_path / "run", resume="auto")
    train("image", {**long, "accumulate": 2}, tmp_path / "whole")
    tensors, expected = (load(tmp_path / n / "checkpoints/last.safetensors").tensors for n in ("run", "whole"))
    assert [name for name, value in expected.items() if not torch.equal(tensors[name], value)] == []
