"""Trainings on peaks of a small genome: where windows lie, what is scored, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.genome.config import GenomeEvaluate
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.errors import InputError
from multiunet.progress import Progress


@pytest.fixture
def peaked(data, tmp_path):
    path = tmp_path / "peaks.narrowPeak"
    rows = [f"{chrom}\t{start}\t{start + 150}\tp\t9\t.\t3\t4\t5\t75\n" for chrom in ("chr1", "chr2", "chr3", "chr10")
            for start in range(300, 1900, 400)]  # fmt: skip
    path.write_text("".join(rows))
    return {**data, "targets": str(data["targets"]).split(",")[0], "peaks": str(path), "jitter": 20, "epochs": 1}


def test_windows_lie_on_peaks_and_negatives(peaked, config_of) -> None:
    domain, config = GenomeDomain(), config_of(peaked)
    info = domain.inspect(config)
    data = domain.training_data(config, info, domain.build(config, info))
    places = data.centres.places
    peaks = [(chrom, start + 75) for chrom in ("chr1", "chr10") for start in range(300, 1900, 400)]
    assert list(places[: len(peaks)]) == peaks
    assert 0 < len(places) - len(peaks) <= len(peaks)
    drawn = [data.centres.draw(0, np.random.default_rng(seed)) for seed in range(50)]
    moved = np.array([base for _, base in drawn]) - 375
    assert {chrom for chrom, _ in drawn} == {"chr1"}
    assert np.abs(moved).max() <= 20 < np.ptp(moved)


def test_peaks_are_scored_beside_trivial_methods(peaked, tmp_path, config_of) -> None:
    training.train("genome", config_of(peaked), tmp_path / "run", progress=Progress())
    report = inference.evaluate([tmp_path / "run"], validated(GenomeEvaluate, {"samples": 1}, "test"), "genome")
    assert report.metrics["peaks"] == 4
    floor = report.baselines["mean"]
    assert floor["peak_auprc"] == pytest.approx(4 / (4 + floor["negatives"]))
    for name in ("peak_auprc", "peak_profile_jsd", "peak_log_count_pearson"):
        assert -1 <= report.metrics[name] <= 1


def test_bad_peaks_are_refused(peaked, data, tmp_path, config_of) -> None:
    (tmp_path / "other.bed").write_text("chr3\t10\t90\n")
    domain, config = GenomeDomain(), config_of({**peaked, "peaks": str(tmp_path / "other.bed")})
    with pytest.raises(InputError, match="has no peak on chr1, chr10, the chromosomes to train on"):
        domain.inspect(config)
    (tmp_path / "far.bed").write_text("chr1\t10\t900000\n")
    with pytest.raises(InputError, match="another assembly"):
        domain.inspect(config_of({**peaked, "peaks": str(tmp_path / "far.bed")}))
    with pytest.raises(InputError, match="`jitter` says how to train on `peaks`; give that, too"):
        config_of({**data, "jitter": 5})
