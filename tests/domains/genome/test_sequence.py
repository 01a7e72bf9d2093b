import numpy as np

from multiunet.domains.genome.sequence import cut, gc_content, one_hot, reverse_complement


def letters(codes) -> str:
    return "".join("ACGTN"[code] for code in codes)


def test_one_hot_is_one_column_a_base():
    codes = np.random.default_rng(0).integers(0, 5, size=500).astype(np.uint8)
    naive = np.zeros((4, 500), dtype=np.float32)
    for i, code in enumerate(codes):
        if code < 4:
            naive[code, i] = 1
    assert np.array_equal(one_hot(codes), naive)
    assert one_hot(codes).dtype == np.float32


def test_reverse_complement_by_hand_and_twice():
    codes = np.array([0, 1, 2, 3, 4, 0], dtype=np.uint8)  # ACGTNA -> TNACGT
    assert letters(reverse_complement(codes)) == "TNACGT"
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)
    # the other strand in one-hot: both axes turned
    assert np.array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])


def test_gc_content_of_partial_and_unknown_bins():
    codes = np.array([1, 2, 0, 3, 4, 4, 4, 4, 1, 4], dtype=np.uint8)  # CGAT NNNN CN
    assert np.array_equal(gc_content(codes, 4), [0.5, np.nan, 1.0], equal_nan=True)


def test_cut_fills_up_with_unknown_bases():
    codes = np.array([0, 1, 2], dtype=np.uint8)
    assert letters(cut(codes, 1, 3)) == "CG"
    assert letters(cut(codes, -2, 5)) == "NNACGNN"
    assert letters(cut(codes, 5, 7)) == "NN"
    assert letters(cut(codes, -4, -1)) == "NNN"
