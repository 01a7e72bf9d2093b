import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pybigtools
import pytest
import torch
from pydantic import ValidationError

from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions, validated
from multiunet.domains.genome import domain, writers
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.readers import read_training
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins, read_tracks
from multiunet.domains.info import Splits
from multiunet.domains.report_files import write_report
from multiunet.domains.runs import load as load_run
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}
BIN = 25
QUICK = {
    "bin_size": BIN,
    "val_chroms": "chr2",
    "test_chroms": ["chr3"],
    "window": 32,
    "widths": [8, 12],
    "stem_channels": 8,
    "stem_kernel": 7,
    "epochs": 2,
    "steps_per_epoch": 4,
    "batch_size": 4,
    "ema": 0.0,
    "dropout": 0.3,
}


def write_fasta(path: Path, lengths: dict[str, int], seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    path.write_text("".join(f">{n}\n{''.join(rng.choice(list('ACGT'), size=size))}\n" for n, size in lengths.items()))
    return path


def write_signal(path: Path, lengths: dict[str, int], seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    rows = [
        f"{name}\t{start}\t{min(start + BIN, size)}\t{abs(rng.normal(5, 2)):.4f}\n"
        for name, size in lengths.items()
        for start in range(0, size, BIN)
        if rng.random() < 0.9
    ]
    path.write_text("".join(rows))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("genome")
    fasta = write_fasta(folder / "g.fa", LENGTHS)
    signals = [write_signal(folder / f"{name}.bedGraph", LENGTHS, seed) for seed, name in enumerate(("fwd", "rev"))]
    return {"fasta": str(fasta), "targets": ",".join(map(str, signals)), **QUICK}


def config_of(settings):
    return validated(domain_spec("genome").train, settings, "test")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    training.train("genome", config_of({**data, "strand_pairs": "fwd:rev"}), out, progress=Progress())
    return out


def predict(run: Path, out: Path, **options) -> list[Path]:
    return inference.predict(run, validated(domain_spec("genome").predict, options, "test"), out, "genome")


def test_the_info_says_what_was_read(data):
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
def test_damaged_info_is_refused(data, change, words):
    info = json.loads(GenomeDomain().inspect(config_of(data)).model_dump_json())
    with pytest.raises(ValidationError, match=words):
        GenomeInfo.model_validate_json(json.dumps({**info, **change}))


def test_prediction_covers_whole_chromosomes(run, tmp_path):
    files = predict(run, tmp_path / "p.zarr", samples=3, export=tmp_path / "out")
    found = open_prediction(tmp_path / "p.zarr")
    assert sorted(found) == sorted(LENGTHS)
    for chrom, item in found.items():
        assert item.attrs["length"] == LENGTHS[chrom]
        assert item["mean"].dims == ("channel", "bin")
        assert item["channel"].values.tolist() == ["fwd", "rev"]
        starts, ends = item["start"].values, item["end"].values
        assert starts[0] == 0
        assert ends[-1] == LENGTHS[chrom]
        assert (starts[1:] == ends[:-1]).all()
        assert np.array_equal(item["total"].values, item["epistemic"].values + item["aleatoric"].values)
        assert (item["epistemic"].values > 0).all()
        assert (item["aleatoric"].values > 0).all()
    assert [f.name for f in files] == [
        f"{track}.{variable}.bw" for track in ("fwd", "rev") for variable in ("mean", "epistemic", "aleatoric", "total")
    ]


def test_bigwigs_read_back_as_the_prediction(run, tmp_path):
    files = predict(run, tmp_path / "p.zarr", samples=2, export=tmp_path / "out")
    found = open_prediction(tmp_path / "p.zarr")
    for path in files:
        track, variable, _ = path.name.split(".")
        with pybigtools.open(str(path)) as file:
            assert dict(file.chroms()) == LENGTHS
            for chrom, length in LENGTHS.items():
                bases = file.values(chrom, 0, length, fillna=math.nan)
                expected = found[chrom][variable].sel(channel=track).values
                assert np.allclose(bases, np.repeat(expected, BIN)[:length], rtol=1e-6)
    assert not [p for p in (tmp_path / "out").iterdir() if ".tmp" in p.name]


def test_bedgraphs_read_back_as_the_prediction(run, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "CHUNK", 7)  # not a divisor of the bins
    files = predict(run, tmp_path / "p.zarr", samples=2, export=tmp_path / "out", export_as="bedgraph,bigwig")
    assert [path.suffix for path in files] == [".bedGraph", ".bw"] * 8
    found = open_prediction(tmp_path / "p.zarr")
    for path in files[::2]:
        track, variable, _ = path.name.split(".")
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        assert [row[:3] for row in rows] == [
            [chrom, str(start), str(min(start + BIN, LENGTHS[chrom]))]
            for chrom in sorted(LENGTHS)  # as bedGraphToBigWig demands, chr10 before chr2
            for start in range(0, LENGTHS[chrom], BIN)
        ]
        values = read_tracks([path], Bins(Genome(tmp_path / "g.fa", {}, LENGTHS), BIN))[0].values
        for chrom in LENGTHS:
            assert np.array_equal(values[chrom], found[chrom][variable].sel(channel=track).values)
    with pytest.raises(InputError, match="`export_as` says what is written into `export=DIR`"):
        predict(run, tmp_path / "q.zarr", export_as="bigwig")


def test_memory_bounds_the_tiles_and_changes_nothing(run, tmp_path, monkeypatch):
    tiles = []

    class Counting(Progress):
        def update_tiles(self, done: int, count: int) -> None:
            tiles.append(count)

    options = validated(domain_spec("genome").predict, {"samples": 2, "chroms": "chr1", "memory": "64GB"}, "test")
    inference.predict(run, options, tmp_path / "whole.zarr", progress=Counting())
    assert set(tiles) == {1}
    monkeypatch.setattr(domain, "compute_max_sites", lambda *given: 1800)
    inference.predict(run, options, tmp_path / "tiles.zarr", progress=Counting())
    assert tiles[-1] > 2
    whole, pieces = (open_prediction(tmp_path / f"{name}.zarr")["chr1"] for name in ("whole", "tiles"))
    for variable in ("mean", "epistemic", "aleatoric"):
        assert np.allclose(whole[variable].values, pieces[variable].values, rtol=1e-4, atol=1e-5)
    monkeypatch.undo()
    with pytest.raises(InputError, match="`memory=1 MB`: the program alone takes"):
        predict(run, tmp_path / "q.zarr", memory="1MB")
    assert not (tmp_path / "q.zarr").exists()


def test_tracks_of_like_names_are_files_of_their_own(data, tmp_path):
    signals = [write_signal(tmp_path / f"{name}.bedGraph", LENGTHS, seed) for seed, name in enumerate(("a b", "a_b"))]
    settings = {**data, "targets": ",".join(map(str, signals)), "epochs": 1, "steps_per_epoch": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    files = predict(tmp_path / "run", tmp_path / "p.zarr", samples=1, chroms="chr3", export=tmp_path / "out")
    assert len(files) == len(set(files)) == 8
    assert all(path.is_file() for path in files)


def test_some_chromosomes_of_another_genome(run, tmp_path):
    other = write_fasta(tmp_path / "other.fa", {"x": 260, "y/1": 100, "z": 10})
    predict(run, tmp_path / "p.zarr", samples=1, fasta=other, chroms="x,y*,z")
    found = open_prediction(tmp_path / "p.zarr")
    assert {item.attrs["chrom"]: item.sizes["bin"] for item in found.values()} == {"x": 11, "y/1": 4, "z": 1}
    assert (found["x"]["epistemic"].values == 0).all()
    with pytest.raises(InputError, match="`chroms` chr9: no such chromosome"):
        predict(run, tmp_path / "q.zarr", chroms="chr9")
    assert not (tmp_path / "q.zarr").exists()


def test_the_pair_of_strands_changes_places(run):
    opened = load_run(run)
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (1, BIN * 16)), 4).movedim(2, 1).float()
    forward, reverse = opened.model.net(x), opened.model.net(x.flip(1, 2))
    assert torch.allclose(reverse, forward.flip(2)[:, [1, 0, 3, 2]], atol=1e-5)  # means, then log-variances


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
    assert list(shown["baselines"]) == ["mean", "gc_content", "distance_to_end"]
    assert list(shown["items"]) == ["chr3"]
    assert 0.8 < shown["metrics"]["coverage_95"] <= 1  # noise that was learnt to be noise


def test_an_ensemble_with_a_member_without_dropout_is_scored_by_one_sample(run, data, tmp_path):
    settings = {**data, "strand_pairs": "fwd:rev", "dropout": 0.0, "epochs": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    assert inference.evaluate([run, tmp_path / "run"], EvaluateOptions(samples=1)).prediction.startswith("one pass")
    with pytest.raises(InputError, match="1 of the 2 runs has no dropout; pass `samples=1`"):
        inference.evaluate([run, tmp_path / "run"], EvaluateOptions(samples=4))


def test_a_run_without_test_chromosomes_says_so(data, tmp_path):
    training.train("genome", config_of({**data, "test_chroms": []}), tmp_path / "run", progress=Progress())
    with pytest.raises(InputError, match="no test chromosomes; train with `test_chroms`"):
        inference.evaluate(tmp_path / "run", EvaluateOptions(split="test"))
    assert inference.evaluate(tmp_path / "run", EvaluateOptions(split="val")).metrics["coverage_95"] > 0


@pytest.mark.parametrize("loss", ["gaussian-nll", "mse", "huber", "poisson"])
def test_other_losses_train_and_state_a_noise(data, tmp_path, loss):
    targets = data["targets"].split(",")[0]
    training.train("genome", config_of({**data, "targets": targets, "loss": loss, "epochs": 1}), tmp_path / "run",
                   progress=Progress())  # fmt: skip
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=2, chroms="chr3")
    item = open_prediction(tmp_path / "p.zarr")["chr3"]
    assert (item["aleatoric"].values > 0).all()
    assert np.isfinite(item["mean"].values).all()


def test_a_run_resumes_from_any_folder(data, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(data["fasta"]).parent)
    relative = {**data, "fasta": "g.fa", "targets": "fwd.bedGraph"}
    training.train("genome", config_of(relative), tmp_path / "run", progress=Progress())
    monkeypatch.chdir("/")
    assert inference.evaluate(tmp_path / "run").metrics["mse"] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"val_chroms": "chr7"}, ["`val_chroms` chr7", "no such chromosome", "chr1, chr2, chr3, chr10"]),
        ({"val_chroms": ""}, ["`val_chroms` is empty"]),
        ({"test_chroms": "chr*"}, ["chr2 is both in `val_chroms` and in `test_chroms`"]),
        ({"test_chroms": "chr1,chr10,chr3"}, ["left to train on"]),
        ({"exclude_chroms": "chr*"}, ["leaves no chromosome"]),
        ({"exclude_chroms": "chrUn_*"}, ["`exclude_chroms` chrUn_*", "no such chromosome"]),
        ({"strand_pairs": "fwd:reverse"}, ["`strand_pairs=fwd:reverse`", "no track 'reverse'", "fwd, rev"]),
        ({"strand_pairs": "fwd"}, ["FORWARD:REVERSE"]),
        ({"strand_pairs": "fwd:rev,rev:fwd"}, ["in two pairs"]),
        ({"bin_size": 10**7}, ["`bin_size=10000000`: no chromosome of", "is as long", "give smaller bins"]),
        ({"window": 16, "widths": "8,8,8"}, ["`window=16`", "3 levels coarsen bins 16 times", "at least 32"]),
        ({"fasta": "none.fa"}, ["none.fa", "no such file"]),
    ],
)
def test_bad_settings_are_named_before_anything_is_written(data, tmp_path, change, words):
    with pytest.raises(InputError) as error:
        training.train("genome", config_of({**data, **change}), tmp_path / "run", progress=Progress())
    assert all(word in str(error.value) for word in words), error.value
    assert list(tmp_path.iterdir()) == []


def test_what_the_signal_alone_has_can_be_left_out(data, tmp_path):
    more = write_signal(tmp_path / "more.bedGraph", {**LENGTHS, "chrUn_1": 500})
    with pytest.raises(InputError, match=r"chrUn_1 not in g\.fa.*`exclude_chroms`"):
        training.plan("genome", config_of({**data, "targets": str(more)}))
    plan = training.plan("genome", config_of({**data, "targets": str(more), "exclude_chroms": "chrUn_*"}))
    assert plan.info.chroms == LENGTHS


@pytest.mark.parametrize(
    ("rows", "loss", "words"),
    [
        ("chr1 0 10 1\nchr2 0 2000 3\nchr3 0 9 1\nchr10 0 9 1\n", "mse", ["no bin of the train", "chr1, chr10"]),
        ("chr1 0 50 1\nchr1 50 99 2\nchr2 0 2000 nan\nchr3 0 50 1\nchr10 0 9 1\n", "mse", ["no bin of the val"]),
        ("chr1 0 50 3\nchr2 0 50 3\nchr3 0 50 3\nchr10 0 50 3\n", "mse", ["values of the train", "are 3"]),
        (
            "chr1 0 50 1\nchr1 50 99 -2\nchr2 0 50 1\nchr2 50 99 2\nchr3 0 50 1\nchr3 50 99 2\nchr10 0 9 1\n",
            "poisson",
            ["t.bedGraph", "-2", "`loss=poisson` is for counts"],
        ),
    ],
)
def test_targets_without_anything_to_learn_are_named(data, tmp_path, rows, loss, words):
    path = tmp_path / "t.bedGraph"
    path.write_text(rows)
    with pytest.raises(InputError) as error:
        training.plan("genome", config_of({**data, "targets": str(path), "loss": loss}))
    assert all(word in str(error.value) for word in words), error.value


def rewritten(path: Path, source: str, change) -> Path:
    """A bedGraph with its values changed."""
    rows = [line.split("\t") for line in Path(source).read_text().splitlines()]
    path.write_text("".join(f"{c}\t{a}\t{b}\t{change(float(v))!r}\n" for c, a, b, v in rows))
    return path


def test_strands_of_one_signal_are_averaged_in_its_own_units(data, tmp_path):
    """One strand varies ten times as much as the other; read backwards, the prediction must be the mirror image."""
    fwd, rev = data["targets"].split(",")
    wide = rewritten(tmp_path / "rev.bedGraph", rev, lambda v: 10 * v + 3)
    config = config_of({**data, "targets": f"{fwd},{wide}", "strand_pairs": "fwd:rev"})
    info = GenomeDomain().inspect(config)
    model = GenomeDomain().build(config, info)
    model.net.eval()
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (1, BIN * 16)), 4).movedim(2, 1).float()
    with torch.no_grad():
        mean, variance = model.task.distribution(model.net(x))
        back, variance_back = model.task.distribution(model.net(x.flip(1, 2)))
    assert torch.allclose(back.flip(2)[:, [1, 0]], mean, rtol=1e-4)
    assert torch.allclose(variance_back.flip(2)[:, [1, 0]], variance, rtol=1e-4)
    both = np.concatenate([v[i] for v in read_training(config).targets.values() for i in (0, 1)])
    assert info.quantities.centre[0] == info.quantities.centre[1] == pytest.approx(np.nanmean(both), rel=0.1)


def test_a_minus_strand_below_zero_is_told(data, tmp_path, caplog):
    fwd, rev = data["targets"].split(",")
    negative = rewritten(tmp_path / "rev.bedGraph", rev, lambda v: -v)
    config = {**data, "targets": f"{fwd},{negative}", "strand_pairs": "fwd:rev"}
    with pytest.raises(InputError, match=r"rev\.bedGraph: has no value above 0.*change their sign"):
        training.plan("genome", config_of(config))
    training.plan("genome", config_of({**config, "strand_pairs": ""}))
    rewritten(negative, rev, lambda v: 1 - v)
    training.plan("genome", config_of(config))
    assert "is one of them stored with the other sign?" in caplog.text


def test_changed_data_are_noticed_and_other_targets_do_not_join(data, tmp_path):
    fwd, rev = data["targets"].split(",")
    own = rewritten(tmp_path / "fwd.bedGraph", fwd, float)
    settings = {**data, "targets": str(own), "epochs": 1, "steps_per_epoch": 1}
    training.train("genome", config_of(settings), tmp_path / "one", progress=Progress())
    rewritten(own, rev, float)
    with pytest.raises(InputError, match="have changed since the run was trained"):
        inference.evaluate(tmp_path / "one")
    training.train("genome", config_of(settings), tmp_path / "two", progress=Progress())
    with pytest.raises(InputError, match=r"cannot join .* because their data differ"):
        inference.predict([tmp_path / "one", tmp_path / "two"],
                         validated(domain_spec("genome").predict, {}, "test"), tmp_path / "p.zarr")  # fmt: skip


def test_runs_of_n_are_neither_learnt_nor_scored_nor_exported(data, tmp_path):
    fasta = tmp_path / "n.fa"
    lines = Path(data["fasta"]).read_text().splitlines()
    fasta.write_text("\n".join(line if line.startswith(">") else "N" * 500 + line[500:] for line in lines) + "\n")
    config = config_of({**data, "fasta": str(fasta), "epochs": 1})
    read = read_training(config)
    assert all(np.isnan(values[:, :20]).all() for values in read.targets.values())
    training.train("genome", config, tmp_path / "run", progress=Progress())
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=2, chroms="chr3", export=tmp_path / "out",
            export_as="bedgraph")  # fmt: skip
    assert (tmp_path / "out" / "fwd.mean.bedGraph").read_text().startswith("chr3\t500\t525\t")
    assert inference.evaluate(tmp_path / "run").metrics["coverage_95"] > 0


def test_a_file_that_leaves_out_zeros(data, tmp_path, caplog):
    rows = [f"{chrom}\t{start}\t{start + BIN}\t1\n" for chrom in LENGTHS for start in range(0, 1000, 10 * BIN)]
    path = tmp_path / "t.bedGraph"
    path.write_text("".join(rows))
    settings = {**data, "targets": str(path)}
    with pytest.raises(InputError, match="nothing to learn; if the file leaves out what is 0, pass `missing=zero`"):
        training.plan("genome", config_of(settings))
    info = training.plan("genome", config_of({**settings, "missing": "zero"})).info
    assert info.missing == (0,)
    path.write_text("".join([*rows, *(f"{chrom}\t50\t75\t2\n" for chrom in LENGTHS)]))
    training.plan("genome", config_of(settings))
    assert "of the training bins have no value and are left out; if the file leaves out what is 0" in caplog.text


@pytest.mark.parametrize(("transform", "undo"), [("log1p", np.expm1), ("sqrt", np.square)])
def test_transformed_targets_are_learnt_scored_and_named(data, tmp_path, transform, undo):
    config = config_of({**data, "transform": transform, "epochs": 1})
    plain, found = read_training(config_of(data)).targets, read_training(config).targets
    assert all(np.allclose(undo(found[chrom]), plain[chrom], rtol=1e-4, equal_nan=True) for chrom in LENGTHS)
    training.train("genome", config, tmp_path / "run", progress=Progress())
    files = predict(tmp_path / "run", tmp_path / "p.zarr", samples=1, chroms="chr3", export=tmp_path / "out")
    assert files[0].name == f"fwd.{transform}.mean.bw"
    assert [t["track"] for t in inference.evaluate(tmp_path / "run").metrics["per_track"]] == [
        f"fwd.{transform}",
        f"rev.{transform}",
    ]
    negative = rewritten(tmp_path / "n.bedGraph", data["targets"].split(",")[0], lambda v: -v)
    with pytest.raises(InputError, match=rf"n\.bedGraph: a value is -.*`transform={transform}` is for values of 0"):
        training.plan("genome", config_of({**data, "targets": str(negative), "transform": transform}))
    with pytest.raises(InputError, match="`loss=poisson` is for counts"):
        config_of({**data, "transform": transform, "loss": "poisson"})


def test_folds_test_every_chromosome_once(data, tmp_path):
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


def test_excluded_regions_are_neither_learnt_nor_scored(data, tmp_path):
    bed = tmp_path / "black.bed"
    bed.write_text("#blacklist\nchr1\t30\t60\tname\nchrUn\t0\t9\nchr3\t0\t1300\n")
    config = config_of({**data, "exclude_regions": str(bed), "epochs": 1})
    plain, found = read_training(config_of(data)).targets, read_training(config).targets
    assert np.isnan(found["chr1"][:, 1:3]).all()
    assert np.isnan(found["chr3"][:, :52]).all()
    for chrom, bins in (("chr1", slice(3, None)), ("chr3", slice(52, None)), ("chr2", slice(None))):
        assert np.array_equal(found[chrom][:, bins], plain[chrom][:, bins], equal_nan=True)
    bed.write_text("1\t30\t60\n")
    with pytest.raises(InputError, match=r"black\.bed: has 1; g\.fa has chr1"):
        training.plan("genome", config)


def test_some_regions_alone_are_predicted_as_in_the_whole(run, tmp_path):
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t1000\t1010\nchr1\t3000\t3100\nchr3\t0\t60\n")
    predict(run, tmp_path / "p.zarr", samples=1, regions=bed, export=tmp_path / "out", export_as="bedgraph")
    predict(run, tmp_path / "whole.zarr", samples=1, chroms="chr1,chr3")
    parts, whole = open_prediction(tmp_path / "p.zarr"), open_prediction(tmp_path / "whole.zarr")
    assert sorted(parts) == ["chr1", "chr3"]
    for chrom, bins in (("chr1", [40, 120, 121, 122, 123]), ("chr3", [0, 1, 2])):
        for variable in ("mean", "epistemic", "aleatoric", "total"):
            values = parts[chrom][variable].values
            assert np.flatnonzero(~np.isnan(values[0])).tolist() == bins
            assert np.allclose(values[:, bins], whole[chrom][variable].values[:, bins], rtol=1e-4, atol=1e-5)
    for variable in ("mean", "epistemic"):
        lines = (tmp_path / "out" / f"fwd.{variable}.bedGraph").read_text().splitlines()
        assert [line.split("\t")[1] for line in lines] == ["1000", "3000", "3025", "3050", "3075", "0", "25", "50"]
    bed.write_text("chr1\t1000\t9999\n")
    with pytest.raises(InputError, match=r"r\.bed:1: ends at 9,999, but chr1 has 4,003 bases"):
        predict(run, tmp_path / "q.zarr", regions=bed)


def test_other_data_are_scored(run, data, tmp_path):
    lengths = {"x": 2600, "y": 900}
    fasta = write_fasta(tmp_path / "other.fa", lengths, seed=3)
    targets = ",".join(str(write_signal(tmp_path / f"{name}.bedGraph", lengths, 7)) for name in "ab")
    kind = domain_spec("genome").evaluate
    report = inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets}, "test"))
    assert report.scored == str(fasta)
    assert list(report.items) == ["x", "y"]
    assert list(report.baselines) == ["mean", "gc_content", "distance_to_end"]
    for path in targets.split(","):
        rows = Path(path).read_text().splitlines(keepends=True)
        Path(path).write_text("".join(row for row in rows if row.startswith("y")))
    one = inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets, "chroms": "y"}, "test"))
    assert list(one.items) == ["y"]
    with pytest.raises(InputError, match="`targets` names 1 files, but the run predicts fwd, rev"):
        inference.evaluate(run, validated(kind, {"fasta": fasta, "targets": targets.split(",")[0]}, "test"))
    with pytest.raises(InputError, match="`fasta` and `targets` belong together"):
        validated(kind, {"fasta": fasta}, "test")
    own = {"fasta": data["fasta"], "targets": data["targets"]}
    with pytest.raises(
        InputError, match=r"3 of 4 inputs were trained or validated on by .*\(chr1, chr2, chr10\); .*`chr"
    ):
        inference.evaluate(run, validated(kind, own, "test"))
    tested = inference.evaluate(run, validated(kind, {**own, "chroms": "chr3"}, "test"))
    assert tested.metrics == inference.evaluate(run, EvaluateOptions(split="test")).metrics


def test_chromosomes_that_no_split_names_are_not_used(data):
    plan = training.plan("genome", config_of({**data, "train_chroms": "chr1"}))
    assert plan.info.split == Splits(train=("chr1",), val=("chr2",), test=("chr3",))
    with pytest.raises(InputError, match="chr2 is both in `train_chroms` and in `val_chroms`"):
        training.plan("genome", config_of({**data, "train_chroms": "chr*"}))


def test_chromosomes_may_be_called_otherwise_in_the_fasta(data, tmp_path):
    fasta = tmp_path / "ncbi.fa"
    fasta.write_text(Path(data["fasta"]).read_text().replace(">chr", ">NC_"))
    names = tmp_path / "names.tsv"
    names.write_text("".join(f"{name.replace('chr', 'NC_')}\t{name}\n" for name in LENGTHS) + "NC_99\tchrM\n")
    settings = {**data, "fasta": str(fasta), "rename_chroms": str(names), "epochs": 1, "steps_per_epoch": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    predict(tmp_path / "run", tmp_path / "p.zarr", samples=1)
    assert sorted(open_prediction(tmp_path / "p.zarr")) == sorted(LENGTHS)
    names.write_text("NC_1\tchr1\nNC_2 chr1\n")
    with pytest.raises(InputError, match=r"names\.tsv: chr1 is there twice on one side"):
        training.plan("genome", config_of(settings))
    names.write_text("NC_1\n")
    with pytest.raises(InputError, match=r"names\.tsv:1: has 1 words; a line is OLD NEW"):
        training.plan("genome", config_of(settings))


@pytest.mark.slow
def test_planted_motifs_are_found(tmp_path):
    """A signal that GC content does not explain; see ``multiunet_datasets.synthetic.genome_with_motifs``."""
    from multiunet_datasets.synthetic import write_genome

    fasta, signal = write_genome(tmp_path / "data", seed=0)
    settings = {"fasta": fasta, "targets": str(signal), "val_chroms": "chr4", "test_chroms": "chr5", "bin_size": 100,
                "epochs": 30}  # fmt: skip
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    report = inference.evaluate(tmp_path / "run")
    assert report.metrics["pearson_r"] > 0.6
    assert all((scores["pearson_r"] or 0) < 0.3 for scores in report.baselines.values())
    shutil.rmtree(tmp_path / "run")


@pytest.mark.realdata
def test_yeast_is_accepted(data_folder):
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


def test_evaluation_scores_the_prediction_that_predict_gives(run, data, tmp_path):
    predict(run, tmp_path / "p.zarr", samples=3, seed=5, chroms="chr3")
    item = open_prediction(tmp_path / "p.zarr")["chr3"]
    targets = read_training(config_of(data)).targets["chr3"]
    report = inference.evaluate(run, EvaluateOptions(samples=3, seed=5))
    inside = np.abs(targets - item["mean"].values) <= 1.96 * np.sqrt(item["total"].values)
    for track, scores in enumerate(report.metrics["per_track"]):
        known = ~np.isnan(targets[track])
        assert scores["mse"] == pytest.approx(np.mean((targets - item["mean"].values)[track, known] ** 2), rel=1e-5)
        assert scores["coverage_95"] == pytest.approx(inside[track, known].mean())


@pytest.mark.parametrize("option", ["val_chroms", "test_chroms"])
def test_options_take_the_new_names_of_chromosomes(data, tmp_path, option):
    names = tmp_path / "names.tsv"
    names.write_text("".join(f"{name}\t{name[3:]}\n" for name in LENGTHS))
    signal = tmp_path / "s.bedGraph"
    signal.write_text(Path(data["targets"].split(",")[0]).read_text().replace("chr", ""))
    settings = {**data, "targets": str(signal), "val_chroms": "2", "test_chroms": "3"}
    with pytest.raises(InputError, match=r"save the lines 'chr1 1', 'chr2 2', 'chr3 3', 'chr10 10' as a text file"):
        training.plan("genome", config_of(settings))
    settings["rename_chroms"] = str(names)
    assert training.plan("genome", config_of(settings)).info.split.val == ("2",)
    with pytest.raises(InputError, match=f"`{option}` chr2: is renamed by `rename_chroms`; write 2"):
        training.plan("genome", config_of({**settings, option: "chr2"}))
    with pytest.raises(InputError, match=f"`{option}` 7: .*it has 1, 2, 3, 10 after `rename_chroms`"):
        training.plan("genome", config_of({**settings, option: "7"}))
    names.write_text("".join(f"{name[3:]}\t{name}\n" for name in LENGTHS))
    with pytest.raises(InputError, match=r"has no sequence that `rename_chroms` renames .*; swap the columns"):
        training.plan("genome", config_of(settings))


def test_one_chromosome_is_predicted_without_reading_the_others(run, tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"x": 260, "y": 100})
    fasta.write_text(fasta.read_text() + ">z\nAC!T\n")
    predict(run, tmp_path / "p.zarr", samples=1, fasta=fasta, chroms="x")
    with pytest.raises(InputError, match="'z', position 3: '!'"):
        predict(run, tmp_path / "q.zarr", samples=1, fasta=fasta)


def test_the_data_are_read_once(data, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(domain, "read_training", lambda config: calls.append(1) or read_training(config))
    training.train("genome", config_of({**data, "epochs": 1}), tmp_path / "run", progress=Progress())
    inference.evaluate(tmp_path / "run")
    assert len(calls) == 2  # a training, and an evaluation
