"""The genome domain from files to a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from multiunet.domains import inference, training
from multiunet.domains.genome import reread
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.several.joining import read_data
from multiunet.domains.questions import variants
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}


def test_the_info_says_what_was_read(data, config_of):
    info = GenomeDomain().inspect(config_of({**data, "strand_pairs": "rev:fwd"}))
    assert GenomeInfo.model_validate_json(info.model_dump_json()) == info
    assert info.chroms == LENGTHS
    assert (info.split.train, info.split.val, info.split.test) == (("chr1", "chr10"), ("chr2",), ("chr3",))
    assert (info.quantities.names, info.strand_pair) == (("fwd", "rev"), (1, 0))
    assert info.quantities.centre == pytest.approx([5, 5], abs=0.6)
    assert info.quantities.scale == pytest.approx([2, 2], abs=0.4)
    assert info.missing == pytest.approx([0.1, 0.1], abs=0.06)
    assert info.gc == pytest.approx(0.5, abs=0.02)
    assert sorted(info.seen().values()) == ["chr1", "chr10", "chr2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strand_pair": [0, 0]}, "do not pair"),
        ({"strand_pair": [0]}, "1 strand pairs"),
        ({"strand_pair": [0, 2]}, "do not pair"),
        ({"missing": [0.1, 1.5]}, "less than or equal to 1"),
        ({"chroms": {"chr1": 4003}}, "the split names 'chr10'"),
        ({"bin_size": 0}, "greater than 0"),
        ({"bin_size": "25"}, "valid integer"),
        ({"more": 1}, "Extra inputs"),
    ],
)
def test_damaged_info_is_refused(data, change, words, config_of):
    info = json.loads(GenomeDomain().inspect(config_of(data)).model_dump_json())
    with pytest.raises(ValidationError, match=words):
        GenomeInfo.model_validate_json(json.dumps({**info, **change}))


@pytest.mark.parametrize("loss", ["gaussian-nll", "mse", "poisson-multinomial", "negative-binomial"])
def test_other_losses_train_and_state_a_noise(data, tmp_path, loss, config_of, predict):
    targets = data["targets"].split(",")[0]
    training.train("genome", config_of({**data, "targets": targets, "loss": loss, "epochs": 1}), tmp_path / "run",
                   progress=Progress())  # fmt: skip
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=2, chroms="chr3")
    item = open_prediction(tmp_path / "p.zarr")["chr3"]
    assert (item["aleatoric"].values > 0).all()
    assert np.isfinite(item["mean"].values).all()


@pytest.mark.parametrize("loss", ["bce", "focal"])
def test_presence_is_predicted_as_a_probability(data, tmp_path, loss, config_of, predict):
    rows = [line.split("\t") for line in Path(data["targets"].split(",")[0]).read_text().splitlines()]
    present = tmp_path / "present.bedGraph"
    present.write_text("".join(f"{c}\t{a}\t{b}\t{int(float(v) > 5)}\n" for c, a, b, v in rows))
    settings = {**data, "targets": str(present), "loss": loss, "epochs": 1, "calibrate": False}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=2, chroms="chr3", interval=0.9)
    item = open_prediction(tmp_path / "p.zarr")["chr3"]
    p, total = item["mean"].values, item["total"].values
    assert ((p > 0) & (p < 1)).all()
    # of draws of a probability, the variances between and within add up to that of their mean
    np.testing.assert_allclose(total, p * (1 - p), rtol=1e-4)
    assert item["lower"].values.min() >= 0
    assert item["upper"].values.max() <= 1


@pytest.mark.parametrize("attention", ["window", "full"])
def test_a_run_with_attention_trains_and_predicts(data, tmp_path, attention, config_of, predict):
    settings = {**data, "attention": attention, "epochs": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    assert f"attention: {attention}" in (tmp_path / "run" / "config.yaml").read_text()
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=2, chroms="chr3")
    assert (open_prediction(tmp_path / "p.zarr")["chr3"]["epistemic"].values > 0).any()


def test_too_many_bins_that_attend_are_refused_before_files_are_read(data, config_of):
    settings = {**data, "attention": "full", "attention_levels": 2, "window": 2048, "targets": "none.bw"}
    with pytest.raises(InputError, match=r"of 2048 sites a sample, 2,048 are left .* a smaller `window`"):
        GenomeDomain().inspect(config_of(settings))


def test_a_run_resumes_from_any_folder(data, tmp_path, monkeypatch, config_of):
    monkeypatch.chdir(Path(data["fasta"]).parent)
    relative = {**data, "fasta": "g.fa", "targets": "fwd.bedGraph"}
    training.train("genome", config_of(relative), tmp_path / "run", progress=Progress())
    monkeypatch.chdir("/")
    assert inference.evaluate(tmp_path / "run").metrics["mse"] > 0


@pytest.mark.slow
def test_planted_motifs_are_found(tmp_path, config_of):
    """A signal that GC content does not explain; see ``multiunet_datasets.synthetic.genome_with_motifs``."""
    from multiunet_datasets.synthetic import write_genome
    from multiunet_datasets.variants import write_variants

    fasta, signal = write_genome(tmp_path / "data", seed=0)
    settings = {"fasta": fasta, "targets": str(signal), "val_chroms": "chr4", "test_chroms": "chr5", "bin_size": 100,
                "epochs": 15}  # fmt: skip
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    report = inference.evaluate(tmp_path / "run")
    assert report.metrics["pearson_r"] > 0.6
    floors = {name: scores["pearson_r"] or 0 for name, scores in report.baselines.items()}
    assert floors.pop("ridge_on_words") < report.metrics["pearson_r"]  # which reads pieces of the motif
    assert all(score < 0.3 for score in floors.values())
    lines = write_variants(fasta, tmp_path / "all.vcf", count=400).read_text().splitlines(keepends=True)
    held_out = [line for line in lines if line.startswith(("#", "chr4", "chr5"))]
    (tmp_path / "v.vcf").write_text("".join(held_out))
    variants(tmp_path / "run", {"vcf": tmp_path / "v.vcf", "samples": 4}, tmp_path / "s.tsv", progress=Progress())
    table = pd.read_csv(tmp_path / "s.tsv", sep="\t")
    broken = table["id"].str.startswith("broken")
    assert min(broken.sum(), (~broken).sum()) > 20
    assert table["sum"][broken].median() < 0  # less of what the signal is the density of
    above = table["sum"][broken].abs().to_numpy()[:, None] > table["sum"][~broken].abs().to_numpy()
    assert above.mean() > 0.9  # the area under the ROC curve
    shutil.rmtree(tmp_path / "run")


@pytest.mark.realdata
def test_yeast_is_accepted(data_folder, config_of):
    yeast = data_folder / "yeast"
    settings = {
        "fasta": yeast / "sacCer3.fa.gz",
        "targets": str(yeast / "replication_timing_1kb.bedGraph"),
        "val_chroms": "chrII,chrX",
        "test_chroms": "chrI,chrIV,chrXVI",
        "bin_size": 1000,
    }
    plan = training.plan("genome", config_of(settings))
    assert len(plan.info.chroms) == 16
    assert len(plan.info.split.train) == 11
    assert plan.info.gc == pytest.approx(0.383, abs=1e-3)
    assert plan.info.quantities.centre == pytest.approx([1.433], abs=0.02)
    old = {**settings, "fasta": data_folder / "fixtures" / "yeast_chr1_old_assembly.fa.gz"}
    with pytest.raises(InputError, match=r"another assembly\?"):
        training.plan("genome", config_of(old))


def test_the_data_are_read_once(data, tmp_path, monkeypatch, config_of):
    calls = []
    monkeypatch.setattr(reread, "read_data", lambda config: calls.append(1) or read_data(config))
    training.train("genome", config_of({**data, "epochs": 1}), tmp_path / "run", progress=Progress())
    inference.evaluate(tmp_path / "run")
    assert len(calls) == 2  # a training with its calibration, and an evaluation
