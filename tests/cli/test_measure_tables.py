"""Tables that ``measure`` prints: whole figures, no empty columns, and in words what an interval belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from multiunet_cli.measure import SHOWN, show, show_rows, show_thickness

ROW: dict[str, Any] = {
    "image": "a" * 30,
    "pooled": False,
    "region": None,
    "quantity": "density of things in this image",
}
SUMS: dict[str, Any] = {
    "sum": 123456.7,
    "low": 101234.5,
    "high": 143210.9,
    "mean_low": 0.00012345,
    "mean_high": 0.00054321,
}
PHASE: dict[str, Any] = {
    **{"image": "a", "phase": "ferrite", "length_unit": "µm", "separated": False, "fraction": 0.2, "whole": 3},
    **{"objects": 4, "objects_low": 0.0, "objects_high": 7.0, "diameter_mean": 2.0},
}


def test_no_figure_is_cut_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show_rows([ROW | SUMS, ROW | SUMS | {"image": "all", "pooled": True}])
    shown = capsys.readouterr().out
    assert "…" not in shown
    for text in ("a" * 30, "123457", "0.0001234", "0.0005432", "90% interval, holds the truth in 9 of 10 cases"):
        assert text in shown
    assert "region" not in shown  # nowhere any


def test_numbers_of_a_column_have_as_many_decimals(capsys: pytest.CaptureFixture) -> None:
    show_rows([ROW | SUMS | {"sum": share} for share in (0.51334, 0.04211, 1.0)])
    shown = capsys.readouterr().out.split()
    assert {"0.513", "0.042", "1.000"} <= set(shown)
    show([PHASE | {"fraction_low": None, "fraction_high": None, "diameter_mean": size} for size in (2440.1, 7.62)])
    assert {"2440", "8"} <= set(capsys.readouterr().out.split())


def test_columns_without_intervals_are_left_out(capsys: pytest.CaptureFixture) -> None:
    show_rows([ROW | SUMS | dict.fromkeys(("low", "high", "mean_low", "mean_high"))])
    shown = capsys.readouterr().out
    assert "no intervals: predicted raw" in shown
    assert not {"low", "high", "pooled", "mean_low"} & set(shown.split())


@pytest.mark.parametrize(("high", "explained"), [(0.3, False), (0.19, True)])
def test_a_fraction_outside_its_interval_is_explained(
    high: float, explained: bool, capsys: pytest.CaptureFixture
) -> None:
    show([PHASE | {"fraction_low": 0.1, "fraction_high": high}])
    shown = " ".join(capsys.readouterr().out.split())
    assert ("Its middle is the sum of probabilities" in shown) == explained
    assert "4 (0 to 7)" in shown


def test_rows_of_thickness_that_are_left_out_are_told(capsys: pytest.CaptureFixture) -> None:
    numbers = dict.fromkeys(("mean", "sd", "median", "low", "high"), 2.0)
    row = {"image": "a", "phase": "coating", "kind": "y", "length_unit": "µm", **numbers}
    show_thickness([row] * SHOWN)
    assert "the first" not in capsys.readouterr().out
    show_thickness([row] * (SHOWN + 1))
    assert f"the first {SHOWN} of {SHOWN + 1} rows" in capsys.readouterr().out
