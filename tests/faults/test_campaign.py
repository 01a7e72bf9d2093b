"""Few strikes of the campaign; ``campaign.py`` makes hundreds by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.faults.killing.traces import find_unreadable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks for processes as Linux has them")


def run(folder: Path, kills: int, commands: list[str], others: list[str]) -> dict[str, object]:
    script, results = Path(__file__).with_name("campaign.py"), folder / "results.json"
    words = ["--kills", str(kills), "--folder", folder, "--json", results]
    done = subprocess.run(
        [sys.executable, script, *words, "--commands", *commands, "--others", *others],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(results.read_text())
    return found


def test_two_kills_cost_no_bit(tmp_path: Path) -> None:
    strikes = run(tmp_path, 2, ["sample genome"], [])["strikes"]
    assert isinstance(strikes, int)
    assert strikes >= 2  # a command may be struck several times


@pytest.mark.slow
def test_kills_and_lost_power_cost_no_bit_in_any_domain(tmp_path: Path) -> None:
    found = run(tmp_path, 50, ["train graph", "predict image", "sample", "calibrate"], ["power", "clock"])
    assert isinstance(found["strikes"], int)
    assert found["strikes"] >= 52


def test_what_is_damaged_is_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "network.pt2", "w") as archive:
        archive.writestr("weights", bytes(64))
    (tmp_path / "phases.csv").write_text("a,b\n1,2\n")
    (tmp_path / "report.html").write_text("<html></html>\n")
    assert find_unreadable(tmp_path) == []
    whole = (tmp_path / "network.pt2").read_bytes()
    (tmp_path / "network.pt2").write_bytes(whole.replace(bytes(64), bytes(63) + b"x"))
    (tmp_path / "phases.csv").write_text("a,b\n1")
    (tmp_path / "report.html").write_text("<html>")
    (tmp_path / "scores.json").write_text("{")
    assert [problem.split(":")[0] for problem in find_unreadable(tmp_path)] == [
        *("network.pt2", "phases.csv", "report.html", "scores.json"),
    ]
