from __future__ import annotations

import numpy as np

from multiunet.domains.genome.peaks.negatives import GC_STEP, match_negatives

WIDTH = 200


def half_rich(bases: int, seed: int) -> np.ndarray:
    """A chromosome whose first half has 30 % of GC, and whose second half has 60 %."""
    rng = np.random.default_rng(seed)
    rich = np.repeat([0.3, 0.6], bases // 2)
    strong = rng.random(bases) < rich
    return np.where(strong, rng.integers(1, 3, bases), 3 * rng.integers(0, 2, bases)).astype(np.uint8)


CODES = {"a": half_rich(200_000, 0), "b": half_rich(100_000, 1), "c": half_rich(20_000, 2)}
# all peaks are in the rich halves
PEAKS = {
    "a": [(start, start + WIDTH) for start in range(100_000, 200_000, 2000)],
    "b": [(start + 7, start + 7 + WIDTH) for start in range(50_000, 100_000, 2500)],
    "elsewhere": [(0, 200)],
}


def gc(chrom: str, start: int, end: int) -> float:
    return float(np.isin(CODES[chrom][start:end], (1, 2)).mean())


def test_negatives_have_the_gc_content_of_peaks_and_none_of_them() -> None:
    places = match_negatives(CODES, PEAKS, seed=0)
    assert places.peaks.keys() == places.negatives.keys() == {"a", "b"}  # the same chromosomes
    contents = {"peaks": [], "negatives": []}
    for name in contents:
        contents[name] = [gc(chrom, *row) for chrom, rows in getattr(places, name).items() for row in rows]
    histograms = [
        np.bincount(np.floor(np.array(part) / GC_STEP).astype(int), minlength=50) for part in contents.values()
    ]
    assert (histograms[1] <= histograms[0]).all()
    assert places.unmatched == len(contents["peaks"]) - len(contents["negatives"]) < 5
    assert abs(np.mean(contents["negatives"]) - np.mean(contents["peaks"])) < 0.01
    assert places.gc[2] < 0.5 < places.gc[1]  # places drawn without matching would tell peaks by their GC alone
    for chrom, rows in places.negatives.items():
        assert not any(start < b and a < end for start, end in rows for a, b in PEAKS[chrom])
        assert len(set(rows)) == len(rows)


def test_the_same_seed_gives_the_same_places_and_ratio_their_number() -> None:
    one, again, other = (match_negatives(CODES, PEAKS, seed).negatives for seed in (1, 1, 2))
    assert one == again != other
    half = match_negatives(CODES, PEAKS, 0, ratio=0.5).negatives
    assert 25 <= sum(map(len, half.values())) <= 50
    assert match_negatives(CODES, PEAKS, 0, ratio=0.0).unmatched == 0


def test_unknown_bases_and_missing_matches_are_told() -> None:
    unknown = {"a": np.full(10_000, 4, dtype=np.uint8)}
    unknown["a"][:400] = 1
    places = match_negatives(unknown, {"a": [(0, 200)]}, 0)
    assert places.negatives["a"] == [(200, 400)]
    assert match_negatives(unknown, {"a": [(0, 400)]}, 0).unmatched == 1
