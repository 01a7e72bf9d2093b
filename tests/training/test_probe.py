from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from multiunet import Grid, Segmentation
from multiunet.models.nnunet_plain import nnunet_plain
from multiunet.training import probe
from multiunet.training.data import Sample
from multiunet.training.probe import Probe, remembered

EXPECTED, OTHER = nn.Identity(), nn.Identity()


def prefers(monkeypatch: pytest.MonkeyPatch, expected: list[float], other: list[float]) -> bool:
    """The answer to these times of steps, in their order."""
    times = {EXPECTED: iter(expected), OTHER: iter(other)}
    monkeypatch.setattr(Probe, "_seconds", lambda self, net: next(times[net]))
    batch = Sample(torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.int64), None)
    return Probe(Segmentation(["a", "b"]), Grid(2), batch, torch.device("cpu"), False).prefers(OTHER, EXPECTED)


def test_only_what_is_clearly_faster_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prefers(monkeypatch, [9, 1, 1], [9, 0.8, 0.8])
    assert not prefers(monkeypatch, [9, 1, 1], [9, 0.95, 0.95])
    assert not prefers(monkeypatch, [9, 1, 1, 1], [9, 0.5, 1, 1]), "one step alone decides nothing"
    assert prefers(monkeypatch, [9, 1, 1, 1], [9, 1, 0.5, 0.5])


def test_short_steps_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not prefers(monkeypatch, [9, 0.01], [])
    assert not prefers(monkeypatch, [9, 1], [9, 0.01])


def test_a_step_is_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "NEGLIGIBLE_SECONDS", 0.0)
    nets = [nnunet_plain(2, 1, 2, [4, 4, 4, 4]) for _ in range(2)]
    batch = Sample(torch.zeros(2, 1, 32, 32), torch.zeros(2, 32, 32, dtype=torch.int64), None)
    Probe(Segmentation(["a", "b"]), Grid(2), batch, torch.device("cpu"), False).prefers(*nets)
    assert nets[0].deep_supervision == 1
    assert all(parameter.grad is not None for net in nets for parameter in net.parameters())


def test_a_machine_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answers = iter([True, False])
    assert remembered("a", lambda: next(answers)) is True
    assert remembered("a", lambda: next(answers)) is True
    assert remembered("b", lambda: next(answers)) is False
    assert remembered("b", lambda: next(answers)) is False
    assert [path.name for path in (tmp_path / "multiunet").iterdir()] == ["probes.json"]
    for damaged in ("[1, damaged", "[1]"):
        (tmp_path / "multiunet" / "probes.json").write_text(damaged)
        assert remembered("a", lambda: False) is False


def test_where_nothing_can_be_kept_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    answers = iter([True, False])
    assert [remembered("a", lambda: next(answers)) for _ in range(2)] == [True, False]


def test_where_nobody_has_a_home_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(probe.Path, "home", nobody)
    answers = iter([True, False])
    assert [remembered("a", lambda: next(answers)) for _ in range(2)] == [True, False]
