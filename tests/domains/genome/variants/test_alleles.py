import numpy as np
import pytest

from multiunet.domains.genome.sequence import reverse_complement
from multiunet.domains.genome.variants.alleles import Reference, as_codes, as_letters, make_allele, refuse


def apply(allele) -> str:
    codes = allele.reference.codes
    return as_letters(np.concatenate([codes[: allele.start], allele.alt, codes[allele.stop :]]))


@pytest.mark.parametrize(
    ("alt", "status"),
    [
        ("A", None),
        ("acgt", None),
        (".", "missing"),
        ("*", "overlapping_deletion"),
        ("<DEL>", "symbolic"),
        ("<NON_REF>", "symbolic"),
        ("G]17:198982]", "breakend"),
        ("[13:123457[C", "breakend"),
        (".A", "breakend"),
        ("G.", "breakend"),
        ("AN", "unknown_base"),
        ("R", "unknown_base"),
        ("-", "malformed"),
        ("", "malformed"),
        ("A C", "malformed"),
        ("Ä", "malformed"),
    ],
)
def test_what_is_no_sequence_is_named(alt, status):
    assert refuse(alt) == status


WAYS = [  # of removing one CAG from GGT CAGCAGCAG TAC
    (3, "TCAG", "T"),
    (4, "CAG", ""),
    (4, "CAGC", "C"),
    (6, "GCAG", "G"),
    (7, "CAGC", "C"),
    (10, "CAGT", "T"),
    (1, "GGTCAGCAGCAGTA", "GGTCAGCAGTA"),
]


@pytest.mark.parametrize(("pos", "ref", "alt"), WAYS)
def test_an_indel_is_one_allele_however_it_is_written(pos, ref, alt):
    reference = Reference(as_codes("GGTCAGCAGCAGTAC"))
    allele = make_allele(reference, pos - 1, as_codes(ref), as_codes(alt))
    assert (allele.start, allele.stop, as_letters(allele.alt)) == (3, 12, "CAGCAG")
    assert allele.describe() == "3:TCAG:T"
    assert apply(allele) == "GGTCAGCAGTAC"


def test_an_insertion_is_one_allele_too_and_left_aligned():
    reference = Reference(as_codes("GGAAAT"))
    written = [(2, "G", "GAA"), (5, "A", "AAA"), (3, "A", "AAA"), (5, "AT", "AAAT")]
    alleles = [make_allele(reference, pos - 1, as_codes(ref), as_codes(alt)) for pos, ref, alt in written]
    assert {(a.start, a.stop, as_letters(a.alt), a.describe()) for a in alleles} == {(2, 5, "AAAAA", "2:G:GAA")}


def test_an_allele_at_an_end_of_a_chromosome_has_its_anchor_behind():
    reference = Reference(as_codes("AACGT"))
    assert make_allele(reference, 0, as_codes("AAC"), as_codes("C")).describe() == "1:AAC:C"
    assert make_allele(reference, 4, as_codes("T"), as_codes("TG")).describe() == "5:T:TG"


def test_shared_bases_are_trimmed_and_mnvs_stay_together():
    reference = Reference(as_codes("GATTACA"))
    allele = make_allele(reference, 1, as_codes("ATTA"), as_codes("AGCA"))
    assert (allele.start, allele.stop, as_letters(allele.alt), allele.describe()) == (2, 4, "GC", "3:TT:GC")
    assert not make_allele(reference, 1, as_codes("ATT"), as_codes("ATT")).is_change


def test_nothing_is_shifted_over_unknown_bases():
    reference = Reference(as_codes("GNNNN"))
    assert make_allele(reference, 2, as_codes("NN"), as_codes("N")).stop == 3


@pytest.mark.parametrize("seed", range(5))
def test_the_other_strand_has_the_same_allele(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, 60).astype(np.uint8)  # two letters, so that there are many repeats
    for _ in range(20):
        start, size = int(rng.integers(5, 50)), int(rng.integers(0, 5))
        alt = rng.integers(0, 2, int(rng.integers(0, 5))).astype(np.uint8)
        given = make_allele(Reference(codes), start, codes[start : start + size], alt)
        if not given.is_change:
            continue
        ref = codes[start : start + size]
        there = 60 - start - size
        turned = make_allele(
            Reference(reverse_complement(codes)), there, reverse_complement(ref), reverse_complement(alt)
        )
        assert (given.start, given.stop) == (60 - turned.stop, 60 - turned.start)
        assert np.array_equal(given.alt, reverse_complement(turned.alt))


def test_an_allele_that_changes_nothing_is_described_as_it_is_written():
    allele = make_allele(Reference(as_codes("GATTACA")), 2, as_codes("T"), as_codes("T"))
    assert (allele.is_change, allele.describe()) == (False, "3:T:T")
