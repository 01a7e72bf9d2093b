"""Attribution from a run to files."""

import csv

import numpy as np
import pybigtools
import pytest

from multiunet.domains.questions import attribute
from multiunet.errors import InputError
from multiunet.progress import Progress

pytest.importorskip("captum")


def ask(run, out, **options):
    return attribute(run, {"samples": 2, "steps": 4, **options}, out, progress=Progress())


@pytest.fixture(scope="module")
def found(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("attribution")
    bed = folder / "b.bed"
    bed.write_text("chr2\t500\t540\tsecond\nchr1\t1000\t1060\tfirst\nchr1\t1050\t1080\n")
    return folder / "out", ask(run, folder / "out", regions=bed)["files"]


def test_arrays_are_those_of_motif_discovery(found):
    out, files = found
    assert {path.rpartition("/")[2] for path in files} >= {"regions.csv", "sequences.npz", "fwd.hypothetical.npz"}
    sequences = np.load(out / "sequences.npz", allow_pickle=False)["arr_0"]
    hypothetical = np.load(out / "rev.hypothetical.npz", allow_pickle=False)["arr_0"]
    assert sequences.shape == hypothetical.shape == (3, 4, 60)
    assert sequences.sum(axis=(1, 2)).tolist() == [40, 60, 30]
    assert (hypothetical[0][:, :10] == 0).all()  # shorter regions lie in the middle
    assert np.allclose(hypothetical.sum(axis=1), 0, atol=1e-5)


def test_rows_tell_what_is_shared_out_and_the_track_has_the_same(found):
    out, _ = found
    with open(out / "regions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["chrom"], row["start"], row["name"], row["track"]) for row in rows[:3]] == [
        ("chr2", "500", "second", "fwd"),
        ("chr2", "500", "second", "rev"),
        ("chr1", "1000", "first", "fwd"),
    ]
    for row in rows:
        change = float(row["prediction"]) - float(row["blank"])
        assert float(row["missing"]) == pytest.approx(change - float(row["contributions"]), abs=1e-3)
    values = pybigtools.open(str(out / "fwd.contribution.bw")).values("chr2", 500, 540, fillna=None)
    assert values.sum() == pytest.approx(float(rows[0]["contributions"]), abs=1e-4)
    overlap = pybigtools.open(str(out / "fwd.contribution_sd.bw")).values("chr1", 1000, 1080, fillna=None)
    assert np.isfinite(overlap).all()


def test_one_region_of_a_width_and_of_its_own_bins(run, tmp_path):
    files = ask(run, tmp_path / "a", region="chr1:1001-1003", width=20, output="region", method="integrated-gradients")
    assert "fwd.chr1_992-1011.png" in [path.rpartition("/")[2] for path in files["files"]]
    assert np.load(tmp_path / "a/sequences.npz")["arr_0"].shape == (1, 4, 20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give `region` or `regions`, one of them"),
        ({"region": "chr1:1-5", "regions": "b.bed"}, "one of them"),
        ({"region": "chr1:1-4003"}, "at most 450 are attributed at once"),
        ({"region": "chr1:1-5", "width": 9999}, "chr1 has 4,003 bases"),
        ({"region": "chr7:1-5"}, "has no chr7"),
        ({"region": "chr1:1-5", "method": "input-x-gradient"}, "`steps` are those of"),
    ],
)
def test_what_cannot_be_attributed_is_refused(run, tmp_path, options, words):
    with pytest.raises(InputError) as error:
        ask(run, tmp_path / "a", **options)
    assert words in str(error.value), error.value


def test_regions_that_are_not_there_are_named(run, tmp_path):
    bed = tmp_path / "b.bed"
    bed.write_text("chr7\t5\t9\n")
    with pytest.raises(InputError, match=r"b\.bed: none of its chromosomes is in g\.fa"):
        ask(run, tmp_path / "a", regions=bed)
    bed.write_text("chr1\t5\t9999\n")
    with pytest.raises(InputError, match=r"b\.bed:1: ends at 9,999, but chr1 has 4,003 bases"):
        ask(run, tmp_path / "a", regions=bed)
