"""The scan for open reading frames, on sequences made for it."""

import numpy as np

from multiunet.domains.genome.annotation.orfs import scan
from multiunet.domains.genome.sequence import reverse_complement

CODES = {letter: code for code, letter in enumerate("ACGTN")}


def encode(text):
    return np.array([CODES[letter] for letter in text], dtype=np.uint8)


GENE = "ATG" + "GCC" * 40 + "TAA"


def test_a_frame_goes_from_its_first_start_to_its_stop_on_either_strand():
    codes = encode("C" * 10 + GENE + "C" * 20)
    found = scan(codes)
    assert np.array_equal(np.flatnonzero(found[0]), np.arange(10, 10 + len(GENE)))
    assert set(found[0][found[0] > 0]) == {len(GENE)}
    assert not found[1].any()
    assert np.array_equal(scan(reverse_complement(codes)), found[::-1, ::-1])


def test_unknown_bases_end_a_frame_and_short_ones_are_none():
    assert not scan(encode(GENE[:60] + "N" + GENE[61:])).any()
    assert not scan(encode("ATG" + "GCC" * 20 + "TAA")).any()


def test_of_frames_that_overlap_the_longest_wins():
    inner = "ATG" + "GCC" * 33 + "TAA"
    longer = "ATG" + "GCA" * 60 + "C" + inner + "CC" + "GCA" * 10 + "TAG"  # the inner one is in another frame
    found = scan(encode(longer))
    assert set(found[0].tolist()) == {len(longer)}
