"""Annotation files of every format say the same; what is wrong in them is named."""

import gzip

import pytest

from multiunet.domains.genome.annotation.features import choose
from multiunet.domains.genome.annotation.reading import check_types, read_features
from multiunet.errors import InputError

GFF3 = """##gff-version 3
##sequence-region chr1 1 95
chr1\tx\tgene\t11\t50\t.\t+\t.\tID=g1;Note=a%2Cb
chr1\tx\tCDS\t11\t20\t.\t+\t0\tParent=g1
chr1\tx\tCDS\t31\t50\t.\t+\t2\tParent=g1
chr1\tx\tpseudogene\t61\t70\t.\t-\t.\tID=g2;orf_classification=Dubious
chr1\tx\tCDS\t61\t70\t.\t-\t0\tParent=g2
##FASTA
>chr1
ACGT
"""
GTF = 'chr1\tx\tCDS\t11\t20\t.\t+\t0\tgene_id "g1"; gene_biotype "protein_coding";\n'
SGD = (
    "S1\tORF\tVerified\tG1\t\t\tchromosome 1\t\t1\t11\t20\tW\t\t\t\t\n"
    "S2\tCDS\t\t\t\t\tG1\t\t1\t11\t20\tW\t\t\t\t\n"
    "S3\tORF\tDubious\tG2\t\t\tchromosome 1\t\t1\t70\t61\tC\t\t\t\t\n"
    "S4\tCDS\t\t\t\t\tG2\t\t1\t70\t61\tC\t\t\t\t\n"
    "S5\tnot physically mapped\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n"
    "S6\tCDS\t\t\t\t\tG3\t\t17\t1\t9\tW\t\t\t\t\n"
)


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def places(features):
    return [(one.type, one.start, one.end, one.strand) for one in features]


def test_gff3_counts_from_1_with_inclusive_ends_and_its_sequence_is_left(tmp_path):
    for name in ("a.gff3", "a.gff.gz"):
        found = read_features(write(tmp_path / name, GFF3))
        assert found.lengths == {"chr1": 95}
        expected = [("gene", 10, 50, "+"), ("CDS", 10, 20, "+"), ("CDS", 30, 50, "+"), ("pseudogene", 60, 70, "-")]
        assert places(found.features)[:4] == expected
        assert found.features[0].words == {"g1", "a,b"}


def test_gtf_and_the_table_of_sgd_say_the_same(tmp_path):
    gtf = read_features(write(tmp_path / "a.gtf", GTF)).features
    sgd = read_features(write(tmp_path / "SGD_features.tab.gz", SGD)).features
    assert places(gtf) == [("CDS", 10, 20, "+")]
    assert "protein_coding" in gtf[0].words
    assert places(sgd) == [
        ("ORF", 10, 20, "+"),
        ("CDS", 10, 20, "+"),
        ("ORF", 60, 70, "-"),
        ("CDS", 60, 70, "-"),
        ("CDS", 0, 9, "+"),
    ]
    assert sgd[-1].chrom == "Mito"


def test_bed_is_of_the_type_of_its_file_or_of_its_names(tmp_path):
    path = write(tmp_path / "peaks.bed.gz", "track x\nchr1\t10\t20\tstrong\t0\t-\nchr1\t30\t40\tweak\n")
    assert places(read_features(path).features) == [("peaks", 10, 20, "-"), ("peaks", 30, 40, ".")]
    assert [one.type for one in read_features(path, ["weak"]).features] == ["strong", "weak"]
    peaks = write(tmp_path / "CTCF.narrowPeak", "chr1\t10\t20\tp1\t1000\t.\t9.1\t-1\t-1\t5\n")
    assert places(read_features(peaks).features) == [("CTCF", 10, 20, ".")]


def test_features_in_blocks_are_their_blocks(tmp_path):
    row = "chr1\t10\t60\tt\t0\t+\t10\t60\t0\t2\t5,10,\t0,40,\n"
    assert places(read_features(write(tmp_path / "t.bed", row)).features) == [("t", 10, 15, "+"), ("t", 50, 60, "+")]
    with pytest.raises(InputError, match=r"t\.bed:1: .*blocks"):
        read_features(write(tmp_path / "t.bed", row.replace("0,40,", "0,30,")))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.gff3", "chr1\tx\tCDS\t0\t9\t.\t+\t0\t.\n", ["a.gff3:1", "count from 1"]),
        ("a.gff3", "chr1\tx\tCDS\t9\t5\t.\t+\t0\t.\n", ["a.gff3:1", "from 9 to 5"]),
        ("a.gff3", "\nchr1 CDS 1 9\n", ["a.gff3:2", "nine columns"]),
        ("a.gff3", "chr1\tx\tCDS\t1\t9\t.\tx\t0\t.\n", ["a.gff3:1", "'x'"]),
        ("a.gff3", "##gff-version 3\n", ["no feature"]),
        ("a.tab", "chr1\t1\t2\n", ["a.tab:1", "16 columns"]),
        ("a.bed", "chr1\t5\t5\n", ["a.bed:1"]),
        ("a.csv", "x\n", ["a.csv", "GFF3"]),
    ],
)
def test_bad_files_are_named(tmp_path, name, text, words):
    with pytest.raises(InputError) as error:
        read_features(write(tmp_path / name, text))
    assert all(word in str(error.value) for word in words), error.value


def test_unknown_types_list_those_that_occur_with_counts(tmp_path):
    file = read_features(write(tmp_path / "a.gff3", GFF3))
    with pytest.raises(InputError, match=r"is of type Gene \(did you mean 'gene'\?\); there are CDS \(3\), gene \(1\)"):
        choose([file], ["Gene"], [])
    with pytest.raises(InputError, match=r"say by `types` .*CDS \(3\)"):
        check_types([file], [])
    with pytest.raises(InputError, match=r"no feature of .* has 'Doubtful'"):
        choose([file], ["CDS"], ["Doubtful"])


@pytest.mark.parametrize(("name", "text"), [("a.gff3", GFF3), ("a.tab", SGD.replace("17\t1\t9", "1\t21\t29"))])
def test_parts_of_what_is_left_out_are_left_out(tmp_path, name, text):
    file = read_features(write(tmp_path / name, text))
    [all_of_it], [kept] = choose([file], ["CDS"], []), choose([file], ["CDS"], ["Dubious"])
    assert len(all_of_it) == 3
    assert [one.start for one in all_of_it if one not in kept] == [60]
