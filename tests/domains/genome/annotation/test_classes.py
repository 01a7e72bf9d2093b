"""Features become classes of bins, base by base."""

import numpy as np
import pytest

from multiunet.domains.genome.annotation.classes import read_classes
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins
from multiunet.errors import InputError

LENGTHS = {"chr1": 95, "chr2": 40}
ROWS = [
    ("chr1", "CDS", 11, 20, "+"),
    ("chr1", "CDS", 15, 30, "+"),  # overlaps the one before
    ("chr1", "CDS", 26, 50, "-"),  # and one on the other strand
    ("chr1", "ARS", 40, 44, "."),
    ("chr2", "CDS", 1, 40, "-"),
    ("chr2", "CDS", 5, 9, "?"),
]


def write(path, rows, head=""):
    lines = (f"{chrom}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t.\n" for chrom, kind, start, end, strand in rows)
    path.write_text(head + "".join(lines))
    return path


def bins(tmp_path, bin_size=1, exclude=(), lengths=LENGTHS):
    return Bins(Genome(tmp_path / "g.fa", {}, lengths), bin_size, exclude)


@pytest.mark.parametrize("bin_size", [1, 7, 10])
def test_classes_of_bins_are_those_of_half_their_bases(tmp_path, bin_size):
    classes = read_classes([write(tmp_path / "a.gff3", ROWS)], ["CDS", "ARS"], bins(tmp_path, bin_size))
    assert classes.names == ["CDS+", "CDS-", "ARS"]
    assert classes.partners == [1, 0, 2]
    for chrom, length in LENGTHS.items():
        base = np.zeros((3, length))
        for name, kind, start, end, strand in ROWS:
            if name == chrom and strand in "+-.":
                base[{"CDS+": 0, "CDS-": 1, "ARS.": 2}[kind + strand], start - 1 : end] = 1
        found = classes.on_bins(chrom, length, bin_size)
        for place in range(-(-length // bin_size)):
            own = base[:, place * bin_size : (place + 1) * bin_size]
            known = ~np.isnan(found[:, place])
            assert np.array_equal(found[known, place], (own.mean(axis=1) >= 0.5)[known])


def test_a_feature_without_strand_is_unknown_on_both_unless_its_type_has_none(tmp_path):
    classes = read_classes([write(tmp_path / "a.gff3", ROWS)], ["CDS", "ARS"], bins(tmp_path))
    found = classes.on_bins("chr2", 40, 1)
    assert np.isnan(found[0, 4:9]).all()
    assert np.isnan(found[0]).sum() == 5
    assert found[1].all()  # the feature on the minus strand says so
    together = read_classes([write(tmp_path / "a.gff3", ROWS)], ["CDS"], bins(tmp_path), stranded=False)
    assert together.names == ["CDS"]
    assert together.on_bins("chr1", 95, 1).sum() == 40


def test_names_are_matched_and_silent_chromosomes_are_unknown(tmp_path, caplog):
    path = write(tmp_path / "a.gff3", [("1", "CDS", 1, 9, "+")])
    classes = read_classes([path], [], bins(tmp_path))
    assert classes.on_bins("chr1", 95, 1)[0, :9].all()
    assert np.isnan(classes.on_bins("chr2", 40, 1)).all()
    assert "1 is chr1" in caplog.text
    assert "says nothing of chr2" in caplog.text


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([("chr2", "CDS", 30, 41, "+")], "", ["a.gff3:1", "reaches base 41", "40 bases in g.fa", "another assembly?"]),
        ([("chr1", "CDS", 1, 9, "+")], "##sequence-region chr1 1 96\n", ["chr1 has 96 bases", "another assembly?"]),
        ([*ROWS, ("chrM", "CDS", 1, 9, "+")], "", ["chrM not in g.fa", "`exclude_chroms`"]),
        ([("chr1", "CDS", 1, 9, "+"), ("chr3", "gene", 1, 9, "+")], "", ["chr3 not in g.fa"]),
    ],
)
def test_another_assembly_is_refused(tmp_path, rows, head, words):
    with pytest.raises(InputError) as error:
        read_classes([write(tmp_path / "a.gff3", rows, head)], ["CDS"], bins(tmp_path))
    assert all(word in str(error.value) for word in words), error.value


def test_excluded_chromosomes_may_be_in_either(tmp_path):
    path = write(tmp_path / "a.gff3", [("chr1", "CDS", 1, 9, "+"), ("2-micron", "CDS", 1, 9, "+")])
    assert read_classes([path], [], bins(tmp_path, exclude=["2-micron", "chr2"])).names == ["CDS+", "CDS-"]
    with pytest.raises(InputError, match="all features of type CDS are on chromosomes that are left out"):
        read_classes([path], [], bins(tmp_path, exclude=["2-micron", "chr1"]))
