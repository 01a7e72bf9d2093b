"""Means over regions and their intervals against sums over bases by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from multiunet.domains.genome.config import GenomeMeasure
from multiunet.domains.genome.measure import measure
from multiunet.domains.inference import measure as measure_any
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore
from multiunet.uncertainty import Moments
from multiunet.uncertainty.region_sums import RegionSums

FIT = RegionSums((1, 4), ((1.0, 2.0), (4.0, 2.0)), ((9.0, 9.0), (9.0, 9.0)), 5)
"""Design effects of two tracks: the first's errors are shared by four bins, the second's are independent."""


def stored(path: Path, calibrated: bool = True) -> Path:
    """Two chromosomes of bins of 10 bases, the second track ten times the first, every variance 0.04."""
    attrs = {"calibration": {"sums": {"sites": FIT.as_dict()}}} if calibrated else {}
    with PredictionStore(path, attrs) as store:
        for chrom, bins in (("chrA", 12), ("chrB", 6)):
            starts = np.arange(bins) * 10
            item = store.item(
                chrom,
                names=["timing", "mark"],
                dims=("bin",),
                shape=(bins,),
                coords={"start": ("bin", starts), "end": ("bin", starts + 10)},
                attrs={"chrom": chrom, "length": bins * 10 - 3, "bin_size": 10},
            )
            mean = torch.arange(bins).float() * torch.tensor([[1.0], [10.0]])
            mean[:, bins - 1] = float("nan")  # not predicted
            variance = torch.full_like(mean, 0.04)
            item.write((slice(0, bins),), Moments(mean, 0 * variance, variance))
    return path


def bed(path: Path, *lines: str) -> Path:
    path.write_text("track name=x\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_means_and_intervals_by_hand(tmp_path: Path) -> None:
    regions = bed(tmp_path / "r.bed", "chrB\t20\t40\tgene 1", "chrA\t5\t40", "chrC\t0\t9\tfar", "chrA\t95\t117\tend")
    rows = measure(GenomeMeasure(prediction=stored(tmp_path / "p.zarr"), regions=regions))
    assert [(row.chrom, row.start, row.end, row.name, row.track, row.bins) for row in rows] == [
        ("chrB", 20, 40, "gene", "timing", 2),
        ("chrB", 20, 40, "gene", "mark", 2),
        ("chrA", 5, 40, "", "timing", 4),
        ("chrA", 5, 40, "", "mark", 4),
        ("chrA", 95, 117, "end", "timing", 2),  # the last bin is not predicted
        ("chrA", 95, 117, "end", "mark", 2),
    ]
    assert rows[0].mean == pytest.approx(2.5)
    assert rows[2].mean == pytest.approx((0.5 * 0 + 1 + 2 + 3) / 3.5)
    assert rows[4].mean == pytest.approx((5 * 9 + 10 * 10) / 15)
    quantile = stats.t.ppf(0.95, 9) * math.sqrt(1 + 1 / 5)
    # two bins: the effect lies between those of 1 and 4 bins, on logarithmic axes
    assert rows[0].high - rows[0].mean == pytest.approx(quantile * math.sqrt(2 * 2 * 0.04) / 2, rel=1e-5)
    assert rows[1].high - rows[1].mean == pytest.approx(quantile * math.sqrt(2 * 2 * 0.04) / 2, rel=1e-5)
    weights = np.array([5, 10, 10, 10]) / 35
    assert rows[3].mean - rows[3].low == pytest.approx(quantile * math.sqrt(2 * 0.04 * (weights**2).sum()), rel=1e-5)


def test_blocks_give_the_same_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, regions = stored(tmp_path / "p.zarr"), bed(tmp_path / "r.bed", "chrA 5 97", "chrA 31 39", "chrB 0 11")
    whole = measure(GenomeMeasure(prediction=path, regions=regions))
    monkeypatch.setattr("multiunet.domains.genome.measure.CHUNK", 3)
    for row, other in zip(whole, measure(GenomeMeasure(prediction=path, regions=regions))):
        assert (row.mean, row.low) == (pytest.approx(other.mean), pytest.approx(other.low))
        assert row.bins == other.bins


def test_without_calibration_and_without_a_predicted_bin(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, regions = stored(tmp_path / "p.zarr", calibrated=False), bed(tmp_path / "r.bed", "chrA 0 10", "chrA 110 117")
    found = measure_any("genome", {"prediction": path, "regions": regions}, tmp_path / "out")
    assert [row["mean"] for row in found["rows"]] == [0, 0, None, None]
    assert found["rows"][0]["low"] is None
    assert "1 region not predicted as a whole" in caplog.text
    with open(tmp_path / "out" / "regions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["track"] == "timing"
    assert rows[2]["mean"] == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chrZ 0 9", "none of its chromosomes is predicted .*has chrZ; .* has chrA, chrB"),
        ("chrA 0 118", r"r\.bed:2: ends at 118, but chrA has 117 bases"),
    ],
)
def test_regions_of_another_assembly_are_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        measure(GenomeMeasure(prediction=stored(tmp_path / "p.zarr"), regions=bed(tmp_path / "r.bed", line)))
