from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.domains.report_files import write_report
from multiunet.domains.result import Report
from multiunet.tasks import ClassificationScore, RegressionScore, Score
from multiunet.uncertainty import Moments


def report_of(score: Score, target: torch.Tensor) -> Report:
    mean = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    score.add(mean, target, Moments(mean, 0.2 * mean, 0.8 * mean))
    return Report("graph", "test split", score.result(), {}, curves=score.curves())


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


@pytest.mark.parametrize(
    ("score", "target", "by"),
    [
        (ClassificationScore(["a", "b"], -1), torch.arange(40) % 2, {}),
        (RegressionScore(["y", "z"]), torch.rand(40, 2, generator=torch.Generator().manual_seed(1)), {"quantity": "z"}),
    ],
)
def test_curves_are_tables_and_figures(score: Score, target: torch.Tensor, by: dict[str, str], tmp_path: Path) -> None:
    report = report_of(score, target)
    names = {path.name for path in write_report(report, tmp_path)}
    curves = report.curves[-1]
    for name in ("reliability", "risk_coverage", "sparsification"):
        assert {f"{name}.csv", f"{name}.png"} <= names
        rows = [row for row in read(tmp_path / f"{name}.csv") if by.items() <= row.items()]
        for column, values in getattr(curves, name).items():
            assert [row[column] for row in rows] == ["" if value is None else str(value) for value in values]
        pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))
        assert pixels.std() > 5  # not an empty sheet
    assert "curves" not in report.as_dict()


def test_a_method_that_states_nothing_has_no_curves(tmp_path: Path) -> None:
    score = ClassificationScore(["a", "b"], -1)
    score.add(torch.rand(4, 2), torch.tensor([0, 1, 0, 1]))
    report = Report("graph", "test split", score.result(), {}, curves=score.curves())
    assert [path.name for path in write_report(report, tmp_path)] == ["scores.csv"]


def test_each_uncertainty_has_a_column(tmp_path: Path) -> None:
    write_report(report_of(ClassificationScore(["a", "b"], -1), torch.arange(40) % 2), tmp_path)
    [row] = read(tmp_path / "scores.csv")
    assert {"error_auroc", "error_auroc epistemic", "error_auroc max_probability", "aurc", "ause"} <= row.keys()
