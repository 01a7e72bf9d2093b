from pathlib import Path

import pytest

from multiunet.domains.genome.places import parse_place, read_places
from multiunet.domains.genome.sequence import Genome
from multiunet.errors import InputError

GENOME = Genome(Path("g.fa"), {}, {"chrI": 900, "chrII": 500, "HLA:A-1": 300})


@pytest.mark.parametrize(
    ("text", "chrom", "start", "stop"),
    [
        ("chrI:1-900", "chrI", 0, 900),
        ("chrII:10-10", "chrII", 9, 10),
        ("II:1,0-2,00", "chrII", 9, 200),
        ("HLA:A-1:5-8", "HLA:A-1", 4, 8),
    ],
)
def test_first_and_last_base_count_from_one(text, chrom, start, stop):
    place = parse_place(text, GENOME)
    assert (place.chrom, place.start, place.stop, len(place)) == (chrom, start, stop, stop - start)


def test_roman_numbers_are_read_where_one_has_two_letters(caplog):
    genome = Genome(Path("g.fa"), {}, {"chrI": 900, "chrIX": 500})
    assert parse_place("9:1-5", genome).chrom == "chrIX"
    assert "`region=9:1-5`: its chromosomes are named otherwise than in g.fa, and matched: 9 is chrIX" in caplog.text
    with pytest.raises(InputError, match="has no 9"):
        parse_place("9:1-5", Genome(Path("g.fa"), {}, {"chr1": 900, "chrX": 500}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chrI", "write CHROM:FIRST-LAST"),
        ("chrI:5", "write CHROM:FIRST-LAST"),
        ("chrI:a-b", "write CHROM:FIRST-LAST"),
        ("chrX:1-5", "g.fa has no chrX; it has chrI, chrII"),
        ("chrII:400-501", "chrII has bases 1 to 500"),
        ("chrII:0-5", "chrII has bases 1 to 500"),
        ("chrII:9-5", "FIRST is no larger than LAST"),
    ],
)
def test_other_places_are_refused(text, words):
    with pytest.raises(InputError) as error:
        parse_place(text, GENOME)
    assert words in str(error.value)


def test_a_place_on_an_absent_chromosome_is_left_out_which_is_said(tmp_path, caplog):
    bed = tmp_path / "b.bed"
    bed.write_text("chrI\t5\t9\tone\nchrZ\t5\t9\nchrI\t1\t3\n")
    assert [(place.label, place.name) for place in read_places(bed, GENOME)] == [
        ("one_chrI_6-9", "one"),
        ("chrI_2-3", ""),
    ]
    assert "1 of 3 regions are left out: g.fa has no chrZ" in caplog.text
