"""Dots that are given as masks or targets are noticed, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.dotted import DotCheck
from tests.domains.image.conftest import save


def dots(seed: int, shape: tuple[int, ...] = (40, 48), value: int = 255) -> np.ndarray:
    marks = np.zeros(shape, dtype=np.uint8)
    marks[tuple(np.random.default_rng(seed).integers(0, shape[0] // 4, (6, len(shape))).T * 4)] = value
    return marks


def fill(root: Path, kind: str) -> None:
    for index in range(6):
        image = gaussian_filter(dots(index).astype(float), 2) * 20 + np.random.default_rng(index).normal(
            80, 5, (40, 48)
        )
        save(root / f"images/s{index}.png", image.astype(np.uint8))
        save(root / f"{kind}/s{index}.png", dots(index))


def test_dots_given_as_masks_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path, "masks")
    survey(ImageTrain(images=tmp_path / "images", masks=tmp_path / "masks"))
    assert "which look like dots" in caplog.text
    assert "`task=regression` and `dots=3`" in caplog.text


def test_dots_given_as_targets_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path, "targets")
    settings = {"images": tmp_path / "images", "targets": tmp_path / "targets", "task": "regression"}
    survey(ImageTrain(**settings))
    assert "the targets are 0 but for" in caplog.text
    caplog.clear()
    survey(ImageTrain(**settings, dots=2))
    assert "look like dots" not in caplog.text


@pytest.mark.parametrize(
    "others",
    [
        [np.kron(dots(0), np.ones((3, 3)))],  # areas
        [np.random.default_rng(0).random((40, 48)) < 0.3],  # noise fills too much
        [dots(0), np.kron(dots(1), np.ones((2, 2)))],  # not all files
        [np.zeros((40, 48))],
    ],
)
def test_other_masks_are_no_dots(others: list[np.ndarray], caplog: pytest.LogCaptureFixture) -> None:
    check = DotCheck()
    for other in others:
        check.add(other.astype(np.uint8))
    check.warn(Path("masks"), "masks", "`dots=3`")
    assert not caplog.text


def test_dots_of_volumes_and_empty_files_count(caplog: pytest.LogCaptureFixture) -> None:
    check = DotCheck()
    check.add(dots(0, (12, 16, 16)))
    check.add(np.zeros((12, 16, 16), dtype=np.uint8))
    check.warn(Path("masks"), "masks", "`dots=3`")
    assert "lone pixels in 2 files" in caplog.text
