"""A run on annotation, from files to files."""

import numpy as np
import pytest
from multiunet_datasets.genes import write_genes

import multiunet
from multiunet.domains import inference
from multiunet.domains.genome.config import GenomeEvaluate, GenomePredict, GenomeTrain
from multiunet.domains.genome.fasta import read_fasta
from multiunet.errors import InputError
from multiunet.progress import Progress

QUICK = {
    "types": ["gene"],
    "val_chroms": ["chr3", "chr4"],
    "test_chroms": ["chr2"],
    "window": 2048,
    "widths": [8, 8],
    "stem_channels": 8,
    "epochs": 1,
    "steps_per_epoch": 40,
    "ema": 0.0,
    "lr": 1e-2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genes")
    fasta, genes = write_genes(folder, chromosomes=4, length=8_000, genes=5)
    multiunet.train("genome", {"fasta": fasta, "annotation": [genes], **QUICK}, folder / "run", progress=Progress())
    return folder / "run"


def test_planted_genes_are_found_better_than_by_chance(run):
    report = inference.evaluate(run, GenomeEvaluate(samples=2), name="genome")
    found = report.metrics
    assert found["classes"] == ["gene+", "gene-"]
    assert found["mcc"] > 0.5
    assert {"calibration_error", "nll", "auprc_per_class", "calibration_error_per_class"} <= found.keys()
    assert list(report.baselines) == ["frequency", "gc_content", "longest_orf"]
    assert report.baselines["longest_orf"]["mcc"] > 0.9
    assert report.baselines["frequency"]["auroc"] == pytest.approx(0.5)
    assert [curve.name for curve in report.curves] == ["gene+", "gene-"]


def test_export_writes_bands_and_regions(run, tmp_path):
    options = GenomePredict(chroms=["chr2"], samples=2, export=tmp_path / "e", export_as=["bedgraph", "bed", "gff3"])
    inference.predict(run, options, tmp_path / "p.zarr", "genome")
    data = multiunet.open_prediction(tmp_path / "p.zarr")["chr2"]
    assert np.array_equal(data["class"].values == 1, data["mean"].values > 0.5)
    assert np.allclose(data["total"], data["mean"] * (1 - data["mean"]), atol=1e-6)
    called = [line.split("\t") for line in (tmp_path / "e/gene-.bed").read_text().splitlines()]
    inside = np.zeros(8_000, dtype=bool)
    for _, start, end, kind, score, strand in called:
        inside[int(start) : int(end)] = True
        assert (kind, strand) == ("gene", "-")
        assert 500 <= int(score) <= 1000
    assert np.array_equal(inside, data["mean"].values[1] > 0.5)
    head, region, *rows = (tmp_path / "e/gene-.gff3").read_text().splitlines()
    assert (head, region) == ("##gff-version 3", "##sequence-region chr2 1 8000")
    assert [int(row.split("\t")[3]) - 1 for row in rows] == [int(row[1]) for row in called]
    lower, mean, upper = (
        np.loadtxt(tmp_path / f"e/gene+.{name}.bedGraph", usecols=3) for name in ("lower", "mean", "upper")
    )
    assert (lower <= mean).all()
    assert (mean <= upper).all()
    assert (upper > lower).any()


def test_the_reverse_complement_has_the_same_genes_on_the_other_strand(run, tmp_path):
    genome = read_fasta(run.parent / "genome.fa")
    bases = "".join("ACGTN"[code] for code in genome.codes["chr2"])
    (tmp_path / "rc.fa").write_text(
        f">given\n{bases}\n>turned\n{bases.translate(str.maketrans('ACGT', 'TGCA'))[::-1]}\n"
    )
    inference.predict(run, GenomePredict(fasta=tmp_path / "rc.fa", samples=1), tmp_path / "p.zarr", "genome")
    given, turned = (
        multiunet.open_prediction(tmp_path / "p.zarr")[name]["mean"].values for name in ("given", "turned")
    )
    assert np.allclose(given, turned[::-1, ::-1], atol=1e-5)


def test_other_annotation_is_scored(run, tmp_path):
    fasta, genes = write_genes(tmp_path, chromosomes=1, length=8_000, genes=5, seed=1)
    report = inference.evaluate(run, GenomeEvaluate(fasta=fasta, annotation=[genes], samples=1), name="genome")
    assert list(report.items) == ["chr1"]
    with pytest.raises(InputError, match="predicts classes of an annotation"):
        inference.evaluate(run, GenomeEvaluate(fasta=fasta, targets=[genes], samples=1), name="genome")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"annotation": ["a.gff3"], "targets": ["a.bw"]}, "signals and classes are learnt by different runs"),
        ({"annotation": ["a.gff3"], "task": "signal", "targets": ["a.bw"]}, "`annotation` is learnt by `task=classes`"),
        ({"task": "classes"}, "learns from `annotation`"),
        ({"annotation": ["a.gff3"], "loss": "mse"}, "whose classes are yes or no"),
        ({"targets": ["a.bw"], "types": ["gene"]}, "choose features of `annotation`"),
        ({"annotation": ["a.gff3"], "transform": "log1p"}, "a bin has a class or not"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        GenomeTrain(fasta="g.fa", **settings)


def test_what_annotation_decides_may_be_given():
    config = GenomeTrain(fasta="g.fa", annotation=["a.gff3"], bin_size=16)
    assert (config.task, config.bin_size, config.loss, config.reading_frames) == ("classes", 16, "bce", True)
    assert "loss" not in config.model_fields_set
