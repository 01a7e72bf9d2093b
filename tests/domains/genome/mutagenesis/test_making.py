"""Mutagenesis from a run to files."""

import csv

import numpy as np
import pybigtools
import pytest
from PIL import Image

from multiunet.domains.questions import mutagenesis, variants
from multiunet.errors import InputError
from multiunet.progress import Progress


def mutate(run, out, **options):
    return mutagenesis(run, {"samples": 2, **options}, out, progress=Progress())


@pytest.fixture(scope="module")
def found(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("mutagenesis") / "out"
    files = mutate(run, out, region="chr1:1496-1510")["files"]  # over two bins
    with open(out / "mutagenesis.csv", newline="") as file:
        return out, files, list(csv.DictReader(file))


def test_each_base_has_three_changes_of_each_track(found):
    out, files, rows = found
    assert [path.rpartition("/")[2] for path in files] == [
        *("mutagenesis.csv", "fwd.contribution.bw", "fwd.contribution_sd.bw", "fwd.png"),
        *("rev.contribution.bw", "rev.contribution_sd.bw", "rev.png"),
    ]
    assert len(rows) == 15 * 3 * 2
    assert {(row["pos"], row["track"]) for row in rows} == {
        (str(pos), track) for pos in range(1496, 1511) for track in ("fwd", "rev")
    }
    assert all(row["ref"] != row["alt"] for row in rows)
    assert all(float(row["sum_sd"]) > 0 for row in rows)
    with Image.open(out / "fwd.png") as picture:
        assert picture.size[0] > 600


def test_the_track_holds_minus_the_mean_of_the_three(found):
    out, _, rows = found
    values = pybigtools.open(str(out / "rev.contribution.bw")).values("chr1", 1495, 1510, fillna=None)
    mine = [float(row["sum"]) for row in rows if row["track"] == "rev"]
    assert np.allclose(values, -np.reshape(mine, (15, 3)).mean(axis=1), atol=1e-5)


def test_a_change_is_about_what_the_same_variant_does(run, data, found, tmp_path):
    """The bins lie elsewhere in the two windows, so only about."""
    _, _, rows = found
    chosen = [row for row in rows if row["track"] == "fwd"]
    vcf = tmp_path / "v.vcf"
    lines = [f"{row['chrom']}\t{row['pos']}\t.\t{row['ref']}\t{row['alt']}\n" for row in chosen]
    vcf.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
    variants(run, {"vcf": vcf, "samples": 1, "shifts": 25}, tmp_path / "s.tsv", progress=Progress())
    with open(tmp_path / "s.tsv", newline="") as file:
        other = [float(row["sum"]) for row in csv.DictReader(file, delimiter="\t") if row["track"] == "fwd"]
    assert np.corrcoef([float(row["sum"]) for row in chosen], other)[0, 1] > 0.6


def test_a_region_that_is_not_there_and_a_folder_with_files(run, found, tmp_path):
    out, _, _ = found
    with pytest.raises(InputError, match="chr1 has bases 1 to 4,003"):
        mutate(run, tmp_path / "a", region="chr1:4000-4004")
    with pytest.raises(InputError, match="is not empty"):
        mutate(run, out, region="chr1:1-5")


def test_both_ends_of_a_chromosome_and_one_sample(run, tmp_path):
    found = mutate(run, tmp_path / "a", region="chr10:1997-1999", samples=1)
    assert [path.rpartition("/")[2] for path in found["files"]] == [
        *("mutagenesis.csv", "fwd.contribution.bw", "fwd.png", "rev.contribution.bw", "rev.png")
    ]
    assert mutate(run, tmp_path / "b", region="10:1-2", samples=1)["region"] == "chr10:1-2"
