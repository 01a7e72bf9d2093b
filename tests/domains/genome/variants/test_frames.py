import numpy as np
import pytest

from multiunet.domains.genome.variants.alleles import make_allele
from multiunet.domains.genome.variants.frames import Window, join, make_frames, phases


@pytest.mark.parametrize("odd", [True, False])
@pytest.mark.parametrize("shifts", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("bin_size", [1, 2, 7, 10, 128])
def test_phases_are_the_same_from_either_end(bin_size, shifts, odd):
    found = phases(bin_size, shifts, odd)
    assert sum(weight for _, weight in found) == pytest.approx(1)
    assert {2 * bin_size - half: weight for half, weight in found} == pytest.approx(dict(found))
    assert all(half % 2 == odd and 0 <= half <= 2 * bin_size for half, _ in found)


def test_as_many_shifts_as_bases_are_all_places_of_a_substitution():
    assert phases(5, 5, odd=True) == [(half, pytest.approx(0.2)) for half in (1, 3, 5, 7, 9)]


def test_bins_line_up_left_of_an_indel_in_one_pair_and_right_of_it_in_the_other(reference):
    window = Window(10, 11, 0)
    allele = make_allele(reference, 200, reference.read(200, 224), reference.read(200, 201))
    for frame in make_frames(allele, window, 3):
        (ref, alt), (ref_right, alt_right) = frame.pairs
        assert np.array_equal(ref[: 10 * window.centre], alt[: 10 * window.centre])
        assert np.array_equal(ref_right[10 * (window.centre + 1) :], alt_right[10 * (window.centre + 1) :])
        assert {len(part) for pair in frame.pairs for part in pair} == {110}
        assert not np.array_equal(ref, alt)


def test_a_substitution_is_in_the_middle_bin_of_one_pair(reference):
    window = Window(10, 11, 0)
    allele = make_allele(reference, 200, reference.read(200, 201), (reference.read(200, 201) + 1) % 4)
    for frame in make_frames(allele, window, 2):
        ((ref, alt),) = frame.pairs
        assert np.flatnonzero(ref != alt) // 10 == [window.centre]


def test_joined_tracks_have_the_mean_in_the_middle():
    left, right = np.arange(5.0), np.arange(5.0) + 10
    assert join(left, right, 2).tolist() == [0, 1, 7, 13, 14]
