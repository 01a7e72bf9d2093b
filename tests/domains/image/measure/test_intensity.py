"""Intensities under objects against means by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from multiunet.domains.image.measure.intensity import mean_intensities, open_pixels
from multiunet.domains.image.measure.objects import ObjectRow
from multiunet.domains.image.measure.phases import Measures
from multiunet.domains.image.measure.tables import write_tables
from tests.domains.image.measure.test_figure import part_of, phase_of


def test_each_channel_is_averaged_under_each_object() -> None:
    numbered = np.array([[0, 1, 1], [2, 2, 0]])
    pixels = np.array([[[9, 1, 3], [4, 5, 9], [99, 99, 99]], [[0, 10, 20], [7, 7, 0], [99, 99, 99]]], dtype=np.uint8)
    np.testing.assert_allclose(mean_intensities(pixels, numbered)[:, 1:], [[2, 4.5], [15, 7]])


def test_an_image_that_is_gone_has_no_intensities(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = xr.Dataset({"mean": (("channel", "y", "x"), np.zeros((2, 4, 5)))}, attrs={"file": str(tmp_path / "a.png")})
    assert open_pixels("a", data, tmp_path / "p.zarr") is None
    assert "a: no intensities of its objects" in caplog.text


def test_tables_have_a_column_for_each_channel(tmp_path: Path) -> None:
    def columns(parts: list[ObjectRow], folder: Path) -> list[str]:
        write_tables(Measures([phase_of("a", "7", 0.5, len(parts))], parts, ("y", "x")), folder, overwrite=False)
        with (folder / "objects.csv").open() as file:
            return next(csv.reader(file))

    one, two = part_of(30), part_of(40)
    assert "intensity" not in columns([one], tmp_path / "none")
    told = [ObjectRow(**{**vars(part), "intensity": (1.0,)}) for part in (one, two)]
    assert "intensity" in columns(told, tmp_path / "one")
    told = [ObjectRow(**{**vars(part), "intensity": (1.0, 2.0)}) for part in (one, two)]
    assert {"intensity_0", "intensity_1"} <= set(columns(told, tmp_path / "two"))
