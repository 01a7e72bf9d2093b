"""One run on several genomes, from its table to predictions of each."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from multiunet.domains import inference
from multiunet.domains.config import validated
from multiunet.domains.genome.checking import check
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.several.joining import read_data
from multiunet.domains.portable.making import export
from multiunet.domains.questions import mutagenesis, variants
from multiunet.domains.runs import check_shared
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.prediction import open_prediction


def evaluate(run, **options):
    return inference.evaluate(run, validated(domain_spec("genome").evaluate, {"samples": 2, **options}, "test"))


def test_tracks_of_one_name_are_one_and_those_that_a_genome_lacks_are_not_known(settings, config_of):
    data = read_data(config_of(settings))
    assert data.names == ["a", "b"]
    assert list(data.codes) == ["one:chr1", "one:chr2", "one:chr3", "two:I", "two:II", "two:III"]
    assert np.isfinite(data.targets["one:chr1"]).mean(axis=1) == pytest.approx([0.9, 0.9], abs=0.1)
    known = np.isfinite(data.targets["two:I"]).mean(axis=1)
    assert known == pytest.approx([0.9, 0], abs=0.1)


def test_the_info_says_what_the_table_does(settings, config_of):
    info = GenomeDomain().inspect(config_of(settings))
    assert GenomeInfo.model_validate_json(info.model_dump_json()) == info
    assert info.split.train == ("one:chr1", "two:I")
    assert (info.split.val, info.split.test) == (("one:chr2", "two:II"), ("one:chr3", "two:III"))
    assert info.genomes == {"one": {"organism": "yeast", "dose": "1"}, "two": {"organism": "candida", "dose": "3"}}
    assert info.condition_channels == 4


def test_each_genome_is_predicted_under_its_own_names_and_conditions(several, tmp_path, predict):
    predict(several, tmp_path / "own.zarr", genome="two", samples=1)
    own = open_prediction(tmp_path / "own.zarr")
    assert list(own) == ["I", "II", "III"]
    predict(several, tmp_path / "same.zarr", genome="two", condition="organism=candida,dose=3.0", samples=1)
    predict(several, tmp_path / "other.zarr", genome="two", condition="organism=yeast,dose=1", samples=1)
    same, other = (open_prediction(tmp_path / f"{name}.zarr")["I"]["mean"].values for name in ("same", "other"))
    assert np.array_equal(own["I"]["mean"].values, same)
    assert not np.allclose(own["I"]["mean"].values, other)


def test_other_sequences_are_predicted_as_any_of_what_is_not_told(several, table, tmp_path, predict, capsys):
    fasta = table.with_name("two.fa")
    predict(several, tmp_path / "p.zarr", fasta=fasta, condition="dose=2", samples=1)
    assert list(open_prediction(tmp_path / "p.zarr")) == ["I", "II", "III"]


def test_scores_are_of_both_and_of_each(several):
    both = evaluate(several)
    assert list(both.items) == ["one:chr3", "two:III"]
    assert {"pearson_r_of_one", "pearson_r_of_two"} <= set(both.metrics)
    two = evaluate(several, genome="two")
    assert list(two.items) == ["two:III"]
    assert two.metrics["pearson_r_of_two"] == pytest.approx(both.metrics["pearson_r_of_two"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "was trained on one, two; choose one by `genome`"),
        ({"genome": "tow"}, "was trained on one, two .did you mean 'two'"),
        (
            {"genome": "one", "condition": "organism=mouse"},
            "=mouse was not trained on; known are yeast, candida",
        ),
        ({"genome": "one", "condition": "organsim=yeast"}, "no condition 'organsim' .did you mean 'organism'"),
        ({"genome": "one", "condition": "dose=9"}, "dose=9 is not a number from 1 to 3"),
        ({"genome": "one", "condition": "dose"}, "give NAME=VALUE"),
    ],
)
def test_what_the_run_does_not_know_is_refused(several, tmp_path, predict, options, words):
    with pytest.raises(InputError, match=words):
        predict(several, tmp_path / "p.zarr", **options)


def test_a_run_on_one_genome_has_none_to_choose(run, tmp_path, predict):
    with pytest.raises(InputError, match="one genome, without a name"):
        predict(run, tmp_path / "p.zarr", genome="one")
    with pytest.raises(InputError, match="no condition 'dose'; it has none"):
        predict(run, tmp_path / "p.zarr", condition="dose=1")


def test_questions_are_asked_of_one_genome(several, tmp_path):
    options = {"genome": "two", "region": "II:1000-1003", "samples": 2}
    answer = mutagenesis(several, options, tmp_path / "m", "genome")
    assert answer["region"] == "II:1,000-1,003"
    vcf = tmp_path / "v.vcf"
    vcf.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nI\t100\t.\tN\tA\n")
    found = variants(several, {"genome": "two", "vcf": vcf, "samples": 2}, tmp_path / "s.tsv", "genome")
    assert found["alleles"] == {"unknown_base": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": "a.bedGraph"}, "`targets` is of one genome; of several it is a column"),
        ({"conditions": "organism,organism"}, "names 'organism' twice"),
        ({"conditions": "tissue"}, "has no column 'tissue', which `conditions` names"),
        ({"conditions": "organism:number"}, "'yeast' of one is not a number"),
        ({"val_chroms": "one:chr9"}, "no such chromosome .*did you mean 'one:chr"),
        ({"task": "generate"}, "`task=generate` is for `task=signal`|table of genomes as `fasta` is for `task=signal`"),
        ({"folds": 3}, "leave the column val_chroms out"),
    ],
)
def test_settings_that_do_not_fit_a_table_are_refused(settings, config_of, change, words):
    with pytest.raises(InputError, match=words):
        GenomeDomain().inspect(config_of({**settings, **change}))


def test_runs_that_are_told_otherwise_are_no_ensemble(settings, config_of):
    """The conditions of one would be read as those of the other, which have as many features."""
    runs = []
    for conditions in ("organism,dose:number", "dose:number,organism"):
        config = config_of({**settings, "conditions": conditions})
        info = GenomeDomain().inspect(config)
        runs.append(SimpleNamespace(info=info, config=config, folder=SimpleNamespace(path=conditions)))
    with pytest.raises(InputError, match=r"cannot join .* because their conditions differ"):
        check_shared(*runs, list(runs[0].info.shared()))


def test_a_check_names_tracks_as_the_table_does_and_counts_each_file_once(table, settings, tmp_path, config_of):
    folder = tmp_path / "copy"
    shutil.copytree(table.parent, folder)
    (folder / "genomes.tsv").write_text("name\tfasta\ttargets\nx\tone.fa\ta.bedGraph\ny\tone.fa\tother=b.bedGraph\n")
    found = check(config_of({**settings, "fasta": str(folder / "genomes.tsv"), "conditions": []}))
    assert [track["name"] for track in found["tracks"]] == ["x:a", "y:other"]
    assert (found["usable"], found["letters"]["bases"]) == (True, 4003 + 3000 + 2600)
    assert found["chroms"]["x:chr1"] == found["chroms"]["y:chr1"] == 4003


def test_conditions_are_for_a_table(data, config_of):
    with pytest.raises(InputError, match="`conditions` is for several genomes"):
        config_of({**data, "conditions": "organism"})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("two.fa", "three.fa", "3: .*three.fa is not there"),
        ("two\t", "one\t", "'one' is there twice"),
        ("two\t", "t:wo\t", "name 't:wo' is to be letters"),
        ("candida", "yeast", "`conditions=organism`: is 'yeast' of all genomes"),
        ("candida", "", "the table does not say 'organism' of two"),
        ("fasta\t", "genome\t", "has no column 'fasta'"),
        ("dose\n", "dose\tdose\n", "has two columns 'dose'"),
        ("name\t", "x" * 200_000 + "\t", "damaged, cut short"),
    ],
)
def test_a_table_that_is_wrong_is_refused(table, settings, tmp_path, config_of, old, new, words):
    folder = tmp_path / "copy"
    shutil.copytree(table.parent, folder)
    changed = folder / "genomes.tsv"
    changed.write_text(changed.read_text().replace(old, new))
    with pytest.raises(InputError, match=words):
        GenomeDomain().inspect(config_of({**settings, "fasta": str(changed)}))


def test_the_same_bases_are_in_one_split(table, settings, tmp_path, config_of):
    """Two cell types of one genome: chromosomes that one holds out must not be learnt by the other."""
    folder = tmp_path / "copy"
    shutil.copytree(table.parent, folder)
    rows = [
        "name\tfasta\ttargets\tval_chroms\ttest_chroms\tcell",
        "x\tone.fa\ta.bedGraph\tchr2\tchr3\tx",
        "y\tone.fa\ta=b.bedGraph\t{}\tchr3\ty",
    ]
    for val in ("chr2", "chr1"):
        (folder / "genomes.tsv").write_text("\n".join(rows).format(val) + "\n")
        config = config_of({**settings, "fasta": str(folder / "genomes.tsv"), "conditions": "cell"})
        if val == "chr1":
            with pytest.raises(InputError, match="have the same bases, but one is of the"):
                GenomeDomain().inspect(config)
            continue
        data = read_data(config)
        assert data.codes["x:chr1"] is data.codes["y:chr1"]
        assert GenomeDomain().inspect(config).split.val == ("x:chr2", "y:chr2")


def test_folds_keep_the_same_bases_together(table, settings, tmp_path, config_of):
    folder = tmp_path / "copy"
    shutil.copytree(table.parent, folder)
    (folder / "genomes.tsv").write_text("name\tfasta\ttargets\nx\tone.fa\ta.bedGraph\ny\tone.fa\ta=b.bedGraph\n")
    config = config_of({**settings, "fasta": str(folder / "genomes.tsv"), "conditions": [], "folds": 3, "fold": 1})
    split = GenomeDomain().inspect(config).split
    for part in (split.train, split.val, split.test):
        assert sorted({name[0] for name in part}) == ["x", "y"]
        assert len({name[2:] for name in part}) == 1


def test_a_run_keeps_what_it_was_told(several):
    kept = json.loads((several / "dataset.json").read_text())
    assert [one["name"] for one in kept["conditions"]] == ["organism", "dose"]


def test_a_file_for_elsewhere_is_told_its_conditions(several, tmp_path, caplog):
    export(several, {"to": "pt2", "genome": "one"}, tmp_path / "one.pt2")
    assert "does not say" not in caplog.text
    with pytest.raises(InputError, match="was not trained on"):
        export(several, {"to": "pt2", "condition": ["organism=fly"]}, tmp_path / "fly.pt2")
