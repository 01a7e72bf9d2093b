"""Regions that hold most of a track's variance: found, said, softly clipped, scored with and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.genome.config import GenomeEvaluate
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.extremes import find_extremes
from multiunet.errors import InputError
from multiunet.progress import Progress


def track(bins: int = 12_000, repeat: slice = slice(4000, 4042), height: float = 60.0) -> np.ndarray:
    values = np.random.default_rng(0).gamma(3.0, 1.0, bins).astype(np.float32)
    values[repeat] += height
    return values


def test_a_planted_repeat_is_found_with_its_share_and_multiple() -> None:
    values = track()
    other = track(3000, slice(0, 0))
    targets = {"chr12": np.stack([track(12_000, slice(0, 0)), values]), "chr3": np.stack([other, other])}
    lengths = {"chr12": 12_000 * 1000 - 7, "chr3": 3_000_000}
    [found] = find_extremes(targets, lengths, 1000)
    assert (found.track, found.chrom, found.start, found.end) == (1, "chr12", 4_000_000, 4_042_000)
    everything = np.concatenate([values, other]).astype(float)
    squares = (everything - np.median(everything)) ** 2
    assert found.share == pytest.approx(squares[4000:4042].sum() / squares.sum())
    assert found.multiple == pytest.approx(values[4000:4042].mean() / np.median(everything), rel=1e-5)
    assert found.part == pytest.approx(42 / 15_000)
    assert "chr12:4,000,000-4,042,000 (0.28% of the bins) holds" in found.describe()


@pytest.mark.parametrize("values", [track(height=0.0), np.repeat(np.float32([0, 9]), [5000, 5000]), np.zeros(50, "f4")])
def test_ordinary_tracks_have_none(values) -> None:
    assert find_extremes({"c": values[None]}, {"c": len(values)}, 1) == ()


def with_repeat(data, folder: Path, chrom: str) -> dict[str, object]:
    """The data of a run with one track, in which four bins of a chromosome are enormous."""
    path = folder / "reads.bedGraph"
    rows = [line.split("\t") for line in Path(str(data["targets"]).split(",")[0]).read_text().splitlines()]
    raised = [f"{c}\t{a}\t{b}\t{float(v) + 400 * (c == chrom and 1000 <= int(a) < 1100)}\n" for c, a, b, v in rows]
    path.write_text("".join(raised))
    return {**data, "targets": str(path), "epochs": 1}


def test_it_is_said_and_large_values_are_clipped_softly(data, tmp_path, config_of, caplog) -> None:
    plain = GenomeDomain().inspect(config_of({**data, "targets": str(data["targets"]).split(",")[0]})).quantities
    info = GenomeDomain().inspect(config_of(with_repeat(data, tmp_path, "chr1")))
    assert "reads.bedGraph: chr1:1,000-1,100" in caplog.text
    assert "learnt by their square root above" in caplog.text
    [clip] = info.clips
    assert clip is not None
    assert clip.threshold < 15
    assert info.quantities.scale[0] < 4 * plain.scale[0]
    assert "chr1:1,000-1,100" in str(info.facts()["extreme regions"])
    raw = GenomeDomain().inspect(config_of({**with_repeat(data, tmp_path, "chr1"), "soft_clip": "none"}))
    assert raw.clips == ()
    assert raw.quantities.scale[0] > 10 * plain.scale[0]


def test_scores_are_given_with_and_without(data, tmp_path, config_of) -> None:
    settings = config_of(with_repeat(data, tmp_path, "chr3"))
    training.train("genome", settings, tmp_path / "run", progress=Progress())
    report = inference.evaluate([tmp_path / "run"], validated(GenomeEvaluate, {"samples": 1}, "test"), "genome")
    for scores in (report.metrics, report.baselines["gc_content"]):
        assert scores["mse_without_extremes"] < 30 < scores["mse"]
    assert "pearson_r_without_extremes" in report.metrics


@pytest.mark.parametrize(("given", "threshold"), [("7.5", 7.5), (3, 3.0)])
def test_a_threshold_may_be_given(data, given, threshold, config_of) -> None:
    info = GenomeDomain().inspect(config_of({**data, "soft_clip": given}))
    assert {clip.threshold for clip in info.clips if clip is not None} == {threshold}


def test_another_word_is_refused(data, config_of) -> None:
    with pytest.raises(InputError, match="give auto, none, or the value above which"):
        config_of({**data, "soft_clip": "sometimes"})


def test_chromosomes_that_a_file_does_not_mention_are_not_silently_zero(data, tmp_path, config_of, caplog) -> None:
    path = tmp_path / "part.bedGraph"
    lines = Path(str(data["targets"]).split(",")[0]).read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("chr10\t")))
    GenomeDomain().inspect(config_of({**data, "targets": str(path), "missing": "zero"}))
    assert "part.bedGraph: has nothing on chr10, of which `missing=zero` makes 80 bins of 0, 17% of all" in caplog.text
