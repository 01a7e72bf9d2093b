"""Scores of runs on genomes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions, validated
from multiunet.domains.genome.readers import read_training
from multiunet.domains.report_files import write_report
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}


def test_evaluation_scores_each_track_beside_baselines(run, tmp_path):
    report = inference.evaluate(run, EvaluateOptions(split="test"), name="genome")
    shown = json.loads(json.dumps(report.as_dict()))
    assert {"pearson_r", "spearman_r", "r2", "coverage_95"} <= shown["metrics"].keys()
    assert not {"mse", "mae"} & shown["metrics"].keys()  # tracks may have different units
    assert all(track["mse"] > 0 for track in shown["metrics"]["per_track"])
    assert report.prediction == "16 Monte-Carlo samples, seed 0"
    write_report(report, tmp_path)
    (row,) = csv.DictReader((tmp_path / "scores.csv").open())
    assert row["item"] == "chr3"
    assert float(row["mse rev"]) == pytest.approx(shown["metrics"]["per_track"][1]["mse"])
    assert "mse" not in row
    assert [track["track"] for track in shown["metrics"]["per_track"]] == ["fwd", "rev"]
    assert list(shown["baselines"]) == ["mean", "gc_content", "distance_to_end", "ridge_on_words"]
    assert list(shown["items"]) == ["chr3"]
    assert 0.8 < shown["metrics"]["coverage_95"] <= 1  # noise that was learnt to be noise


def test_evaluation_scores_the_prediction_that_predict_gives(run, data, tmp_path, config_of, predict):
    predict(run, tmp_path / "p.zarr", samples=3, seed=5, chroms="chr3")
    item = open_prediction(tmp_path / "p.zarr")["chr3"]
    targets = read_training(config_of(data)).targets["chr3"]
    report = inference.evaluate(run, EvaluateOptions(samples=3, seed=5))
    inside = np.abs(targets - item["mean"].values) <= 1.96 * np.sqrt(item["total"].values)
    for track, scores in enumerate(report.metrics["per_track"]):
        known = ~np.isnan(targets[track])
        assert scores["mse"] == pytest.approx(np.mean((targets - item["mean"].values)[track, known] ** 2), rel=1e-5)
        assert scores["coverage_95"] == pytest.approx(inside[track, known].mean())


def test_an_ensemble_with_a_member_without_dropout_is_scored_by_one_sample(run, data, tmp_path, config_of):
    settings = {**data, "strand_pairs": "fwd:rev", "dropout": 0.0, "epochs": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    assert inference.evaluate([run, tmp_path / "run"], EvaluateOptions(samples=1)).prediction.startswith("one pass")
    with pytest.raises(InputError, match="1 of the 2 runs has no dropout; pass `samples=1`"):
        inference.evaluate([run, tmp_path / "run"], EvaluateOptions(samples=4))


def test_a_run_without_test_chromosomes_says_so(data, tmp_path, config_of):
    training.train("genome", config_of({**data, "test_chroms": []}), tmp_path / "run", progress=Progress())
    with pytest.raises(InputError, match="no test chromosomes; train with `test_chroms`"):
        inference.evaluate(tmp_path / "run", EvaluateOptions(split="test"))
    assert inference.evaluate(tmp_path / "run", EvaluateOptions(split="val")).metrics["coverage_95"] > 0


def test_folds_test_every_chromosome_once(data, tmp_path, config_of, predict):
    settings = {key: value for key, value in data.items() if key not in ("val_chroms", "test_chroms")}
    settings["targets"] = data["targets"].split(",")[0]
    runs = training.train_all("genome", config_of({**settings, "folds": 3, "epochs": 1}), tmp_path / "cv",
                              progress=Progress())  # fmt: skip
    splits = [json.loads((run / "dataset.json").read_text())["split"] for run in runs]
    assert sorted(chrom for split in splits for chrom in split["test"]) == sorted(LENGTHS)
    assert all(sorted(s["train"] + s["val"] + s["test"]) == sorted(LENGTHS) for s in splits)
    report = inference.evaluate(tmp_path / "cv")
    assert report.scored == "test split, 3 folds pooled"
    assert {name: scores["fold"] for name, scores in report.items.items()} == {
        chrom: f"fold-{fold}" for fold, split in enumerate(splits) for chrom in split["test"]
    }
    mses = report.metrics["each_fold"]["mse"]
    assert report.metrics["mean_of_folds"]["mse"] == pytest.approx(np.mean(mses))
    assert min(mses) <= report.metrics["mse"] <= max(mses)
    assert report.baselines["mean"]["sd_of_folds"]["mse"] > 0
    predict(tmp_path / "cv", tmp_path / "p.zarr", samples=1, chroms="chr3")
    tested = splits[0]["test"]
    other = {"fasta": data["fasta"], "targets": settings["targets"], "chroms": tested}
    inference.evaluate(runs[0], other)
    with pytest.raises(InputError, match=rf"trained or validated on by .*fold-1 \({tested[0]}.*`chroms`"):
        inference.evaluate(tmp_path / "cv", other)  # which the other folds have seen
    with pytest.raises(InputError, match="`folds=5`: there are 4 chromosomes"):
        training.plan("genome", config_of({**settings, "folds": 5, "fold": 0}))
    with pytest.raises(InputError, match="leave `train_chroms`, `val_chroms` and `test_chroms` out"):
        config_of({**data, "folds": 3})


def test_other_data_are_scored(run, data, tmp_path, write_fasta, write_signal):
    lengths = {"x": 2600, "y": 900}
    fasta = write_fasta(tmp_path / "other.fa", lengths, seed=3)
    targets = ",".join(str(write_signal(tmp_path / f"{name}.bedGraph", lengths, 7)) for name in "ab")
    kind = domain_spec("genome").evaluate
    report = inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets}, "test"))
    assert report.scored == str(fasta)
    assert list(report.items) == ["x", "y"]
    assert list(report.baselines) == ["mean", "gc_content", "distance_to_end", "ridge_on_words"]
    for path in targets.split(","):
        rows = Path(path).read_text().splitlines(keepends=True)
        Path(path).write_text("".join(row for row in rows if row.startswith("y")))
    one = inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets, "chroms": "y"}, "test"))
    assert list(one.items) == ["y"]
    with pytest.raises(InputError, match="`targets` names 1 files, but the run predicts fwd, rev"):
        inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets.split(",")[0]}, "test"))
    with pytest.raises(InputError, match=r"`fasta` and `targets` .*belong together"):
        validated(kind, {"fasta": fasta}, "test")
    own = {"fasta": data["fasta"], "targets": data["targets"]}
    with pytest.raises(
        InputError, match=r"3 of 4 inputs were trained or validated on by .*\(chr1, chr2, chr10\); .*`chr"
    ):
        inference.evaluate(run, validated(kind, own, "test"))
    tested = inference.evaluate(run, validated(kind, {**own, "chroms": "chr3"}, "test"))
    assert tested.metrics == inference.evaluate(run, EvaluateOptions(split="test")).metrics
