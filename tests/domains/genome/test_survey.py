"""What is checked and decided of genomes and signals before training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.readers import read_training
from multiunet.domains.info import Splits
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}
BIN = 25


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
def test_bad_settings_are_named_before_anything_is_written(data, tmp_path, change, words, config_of):
    with pytest.raises(InputError) as error:
        training.train("genome", config_of({**data, **change}), tmp_path / "run", progress=Progress())
    assert all(word in str(error.value) for word in words), error.value
    assert list(tmp_path.iterdir()) == []


def test_what_the_signal_alone_has_can_be_left_out(data, tmp_path, write_signal, config_of):
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
def test_targets_without_anything_to_learn_are_named(data, tmp_path, rows, loss, words, config_of):
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


def test_strands_of_one_signal_are_averaged_in_its_own_units(data, tmp_path, config_of):
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


def test_a_minus_strand_below_zero_is_told(data, tmp_path, caplog, config_of):
    fwd, rev = data["targets"].split(",")
    negative = rewritten(tmp_path / "rev.bedGraph", rev, lambda v: -v)
    config = {**data, "targets": f"{fwd},{negative}", "strand_pairs": "fwd:rev"}
    with pytest.raises(InputError, match=r"rev\.bedGraph: has no value above 0.*change their sign"):
        training.plan("genome", config_of(config))
    training.plan("genome", config_of({**config, "strand_pairs": ""}))
    rewritten(negative, rev, lambda v: 1 - v)
    training.plan("genome", config_of(config))
    assert "is one of them stored with the other sign?" in caplog.text


def test_changed_data_are_noticed_and_other_targets_do_not_join(data, tmp_path, config_of):
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


def test_runs_of_n_are_neither_learnt_nor_scored_nor_exported(data, tmp_path, config_of, predict):
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


def test_a_file_that_leaves_out_zeros(data, tmp_path, caplog, config_of):
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
def test_transformed_targets_are_learnt_scored_and_named(data, tmp_path, transform, undo, config_of, predict):
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


def test_excluded_regions_are_neither_learnt_nor_scored(data, tmp_path, config_of):
    bed = tmp_path / "black.bed"
    bed.write_text("#blacklist\nchr1\t30\t60\tname\nchrUn\t0\t9\nchr3\t0\t1300\n")
    config = config_of({**data, "exclude_regions": str(bed), "epochs": 1})
    plain, found = read_training(config_of(data)).targets, read_training(config).targets
    assert np.isnan(found["chr1"][:, 1:3]).all()
    assert np.isnan(found["chr3"][:, :52]).all()
    for chrom, bins in (("chr1", slice(3, None)), ("chr3", slice(52, None)), ("chr2", slice(None))):
        assert np.array_equal(found[chrom][:, bins], plain[chrom][:, bins], equal_nan=True)
    bed.write_text("other\t30\t60\n")
    with pytest.raises(
        InputError, match=r"black\.bed: none of its chromosomes is in g\.fa.*black\.bed has other; g\.fa has chr1"
    ):
        training.plan("genome", config)


def test_chromosomes_that_no_split_names_are_not_used(data, config_of):
    plan = training.plan("genome", config_of({**data, "train_chroms": "chr1"}))
    assert plan.info.split == Splits(train=("chr1",), val=("chr2",), test=("chr3",))
    with pytest.raises(InputError, match="chr2 is both in `train_chroms` and in `val_chroms`"):
        training.plan("genome", config_of({**data, "train_chroms": "chr*"}))


def test_chromosomes_may_be_called_otherwise_in_the_fasta(data, tmp_path, config_of, predict):
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


@pytest.mark.parametrize("option", ["val_chroms", "test_chroms"])
def test_options_take_the_new_names_of_chromosomes(data, tmp_path, option, config_of):
    names = tmp_path / "names.tsv"
    names.write_text("".join(f"{name}\t{name[3:]}\n" for name in LENGTHS))
    signal = tmp_path / "s.bedGraph"
    signal.write_text(Path(data["targets"].split(",")[0]).read_text().replace("chr", ""))
    settings = {**data, "targets": str(signal), "val_chroms": "2", "test_chroms": "3"}
    with pytest.raises(InputError, match="`val_chroms` 2: no such chromosome"):
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


@pytest.mark.parametrize("loss", ["bce", "focal"])
def test_presence_is_from_0_to_1(data, loss, config_of):
    config = config_of({**data, "loss": loss})
    with pytest.raises(InputError, match=rf"`loss={loss}` is for presence, from 0 \(absent\) to 1"):
        GenomeDomain().inspect(config)
    with pytest.raises(InputError, match="is for presence, 0 to 1, which `transform=sqrt` makes none of"):
        config_of({**data, "loss": loss, "transform": "sqrt"})


def test_a_split_of_few_values_is_said(data, tmp_path, write_fasta, write_signal, config_of, caplog):
    lengths = {"chr1": 4003, "chr2": 400}
    fasta, signal = write_fasta(tmp_path / "g.fa", lengths), write_signal(tmp_path / "s.bedGraph", lengths)
    changed = {"fasta": str(fasta), "targets": str(signal), "val_chroms": "chr2", "test_chroms": []}
    GenomeDomain().inspect(config_of({**data, **changed}))
    assert "bins of the val chromosomes (chr2) have a value, so the best epoch is chosen by chance" in caplog.text
    assert "of the train chromosomes" not in caplog.text
