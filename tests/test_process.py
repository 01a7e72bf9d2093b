from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from multiunet.errors import InputError
from multiunet.process import is_alive, this_process
from multiunet.training.run_folder import RunFolder


def of_a_child(words: str = "pass") -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from multiunet.process import this_process; print(this_process()); {words}"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_process_is_alive_until_it_ends() -> None:
    assert is_alive(f"running: {this_process()}") is True
    assert is_alive(of_a_child()) is False
    assert is_alive("running") is None
    assert is_alive("process 1 on machine 01234567 since 2026-01-01T00:00:00+00:00") is None
    assert platform.node() not in this_process()


def test_another_process_of_the_same_number_is_not_it() -> None:
    words = this_process()
    since = words.rpartition(" ")[2]
    earlier = (datetime.fromisoformat(since) - timedelta(days=400)).isoformat()
    assert is_alive(words.replace(since, earlier)) is False
    zombie = subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.PIPE)
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # ended, but nobody has asked how
    assert is_alive(words.replace(f"process {os.getpid()} ", f"process {zombie.pid} ")) is False
    zombie.wait()


def test_a_run_whose_process_is_gone_is_not_running(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"seed": 0, "epochs": 9}, {})
    run.begin()
    assert run.read_status() == f"running: {this_process()}"
    run.check_idle()  # this process itself
    run.status(f"running: {of_a_child()}")
    assert run.read_status().startswith("stopped: killed, or its machine went down (running: process ")
    assert run.unfinished() == f"{run.path}: training was stopped after 0 of 9 epochs; go on with it by `resume=auto`"
    run.check_idle()
    run.status("diverged: the loss is nan")
    advice = "train anew with a lower learning rate (`lr`)"
    assert run.unfinished() == f"{run.path}: training diverged after 0 of 9 epochs; {advice}"
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from multiunet.training.run_folder import RunFolder\n"
            "RunFolder(Path(sys.argv[1])).begin(); print('begun', flush=True); sys.stdin.read()",
            str(run.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    assert run.read_status().startswith(f"running: process {child.pid} ")
    run.log({"epoch": 1})
    assert run.unfinished() == f"{run.path}: is still being trained, 1 of 9 epochs so far"
    with pytest.raises(InputError, match=rf"is being trained \(running: process {child.pid} .*wait for it"):
        run.check_idle()
    child.kill()
    child.communicate()
    run.check_idle()
