"""Plans and runs as a person reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LEARNT = {
    "image": "2 classes: ",
    "genome": "quantities: |1 quantity: ",
    "graph": "of nodes ",
    "graphs": "of graphs ",
}


def read_lines(text: str) -> dict[str, str]:
    """Return what is said about each thing."""
    lines = [line.split("  ", 1) for line in text.splitlines() if "  " in line and not line.startswith(" ")]
    return {about: said.strip() for about, said in lines}


@pytest.mark.parametrize("domain", list(LEARNT))
def test_a_dry_run_says_what_is_trained_on_what_and_how_long(
    domain: str, worlds: dict[str, Any], multiunet: Callable, tmp_path: Path
) -> None:
    done = multiunet("train", domain, *worlds[domain].train, "--out", tmp_path / "run", "--dry-run")
    assert done.code == 0, done.err
    said = read_lines(done.out)
    assert " to train" in said["data"]
    assert " item" not in said["data"]  # but what the domain calls them
    assert " to validate" in said["data"]
    assert any(words in said["learns"] for words in LEARNT[domain].split("|"))
    assert "parameters" in said["network"]
    assert " in all" in said["training"]
    assert said["time"].startswith("about ")
    assert said["into"] == str(tmp_path / "run")
    assert "weight_decay" not in done.out  # as most settings, it is for few
    assert not (tmp_path / "run").exists()


def test_all_settings_are_shown_where_asked_for(worlds: dict[str, Any], multiunet: Callable, tmp_path: Path) -> None:
    words = [*worlds["graph"].train, "--out", tmp_path / "run", "--dry-run"]
    assert "  weight_decay: " in multiunet("train", "graph", *words, "--verbose").out
    assert multiunet("train", "graph", *words[:-1]).code == 0
    brief = multiunet("info", "--run", tmp_path / "run")
    assert brief.out == multiunet("info", tmp_path / "run").out
    assert "weight_decay" not in brief.out
    said = read_lines(brief.out)
    assert said["best"].startswith("epoch ")
    assert said["status"] == "done"
    whole = multiunet("info", "--run", tmp_path / "run", "--verbose").out
    assert all(f"\n{part}\n" in whole for part in ("network", "dataset", "config"))
    for wrong in ([], [tmp_path, "--run", tmp_path]):
        refused = multiunet("info", *wrong)
        assert (refused.code, "name one run" in refused.err) == (2, True), refused.err
