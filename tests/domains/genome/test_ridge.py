from __future__ import annotations

import numpy as np

from multiunet.domains.genome.kmers import WORD, classify_words, count_words, iter_features
from multiunet.domains.genome.ridge import PENALTIES, fit_ridge
from multiunet.domains.genome.sequence import reverse_complement

RNG = np.random.default_rng(0)


def sequence(bases: int) -> np.ndarray:
    return RNG.integers(0, 4, bases).astype(np.uint8)


def test_words_are_counted_with_their_reverse_complements() -> None:
    codes = sequence(60)
    codes[13] = 4
    text = "".join("ACGTN"[code] for code in codes)
    classes = classify_words(WORD)
    expected = np.zeros((6, int(classes.max()) + 1), dtype=int)
    for start in range(60 - WORD + 1):
        word = text[start : start + WORD]
        if "N" not in word:
            expected[
                start // 10, classes[sum("ACGT".index(letter) * 4 ** (WORD - 1 - i) for i, letter in enumerate(word))]
            ] += 1
    np.testing.assert_array_equal(count_words(codes, 10, 6), expected)
    assert expected.shape[1] == 136  # of 256 words 16 are their own reverse complements


def test_strands_have_the_same_words() -> None:
    codes = sequence(500)
    given, other = (count_words(strand, 500, 1) for strand in (codes, reverse_complement(codes)))
    np.testing.assert_array_equal(given, other)


def test_features_do_not_depend_on_blocks(monkeypatch) -> None:
    codes = sequence(3001)
    whole = np.concatenate([x for _, x in iter_features(codes, 10)])
    monkeypatch.setattr("multiunet.domains.genome.kmers.BLOCK", 47)
    np.testing.assert_allclose(np.concatenate([x for _, x in iter_features(codes, 10)]), whole)


def test_it_is_the_least_squares_of_numpy_with_rows_of_penalties() -> None:
    codes = {name: sequence(4000) for name in ("a", "b", "c")}
    targets = {name: RNG.normal(size=(2, 200)).astype(np.float32) for name in codes}
    targets["a"][0, 5] = np.nan
    train, val = {name: codes[name] for name in "ab"}, {"c": codes["c"]}
    ridge = fit_ridge(train, val, targets, 20)
    assert ridge is not None
    x = np.concatenate([part for chrom in train.values() for _, part in iter_features(chrom, 20)])
    y = np.concatenate([targets[name] for name in "ab"], axis=1).T.astype(float)
    x, y = x[~np.isnan(y).any(1)], y[~np.isnan(y).any(1)]
    usable = x.std(axis=0) > 1e-9
    standard = (x[:, usable] - x[:, usable].mean(0)) / x[:, usable].std(0)
    for track, penalty in enumerate(ridge.penalties):
        rows = np.sqrt(penalty) * np.eye(standard.shape[1])
        stacked = (
            np.concatenate([standard, rows]),
            np.concatenate([y[:, track] - y[:, track].mean(), np.zeros(len(rows))]),
        )
        expected = np.linalg.lstsq(*stacked, rcond=None)[0]
        np.testing.assert_allclose(ridge.weights[usable, track], expected, rtol=1e-5, atol=1e-7)
    assert set(ridge.penalties) <= set(PENALTIES)


def test_a_composition_is_found_beside_noise() -> None:
    codes = {name: sequence(20_000) for name in ("a", "b", "c", "d")}
    # the share of one word and its reverse complement, of which GC content knows nothing
    word = classify_words(WORD)[int("0321", 4)]
    signal = {name: count_words(part, 50, 400)[:, word] for name, part in codes.items()}
    targets = {name: np.stack([row, RNG.normal(size=400)]).astype(np.float32) for name, row in signal.items()}
    ridge = fit_ridge({name: codes[name] for name in "ab"}, {"c": codes["c"]}, targets, 50)
    assert ridge is not None
    known, _ = ridge.predict(codes["d"], 50)
    assert np.corrcoef(known, signal["d"])[0, 1] > 0.95


def test_without_common_bins_there_is_none() -> None:
    codes, nothing = {"a": sequence(100)}, {"a": np.full((1, 10), np.nan, np.float32)}
    assert fit_ridge(codes, codes, nothing, 10) is None
