import numpy as np
import pytest

from multiunet.domains.genome import baselines
from multiunet.domains.genome.scoring import relative_error, score

BIN = 10


def genome(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.where(
            rng.random(n) < np.linspace(0.2, 0.7, n), rng.integers(1, 3, n), 3 * rng.integers(0, 2, n)
        ).astype(np.uint8)
        for name, n in (("a", 605), ("b", 300))
    }


def test_each_baseline_finds_the_signal_that_it_can_explain():
    codes = genome()
    signals = {
        name: np.stack(
            [
                3 * np.array([np.isin(c[i : i + BIN], (1, 2)).mean() for i in range(0, len(c), BIN)]) - 1,
                [-2 * np.log(min(i + BIN / 2, len(c) - i - BIN / 2)) if i + BIN / 2 < len(c) else np.nan
                 for i in range(0, len(c), BIN)],
            ]
        ).astype(np.float32)
        for name, c in codes.items()
    }  # fmt: skip
    signals["a"][:, 7] = np.nan
    methods = baselines.fitted(codes, signals, BIN)
    scored = {
        name: score({c: method(codes[c], BIN) for c in codes}, signals, ["gc", "end"])["per_track"]
        for name, method in methods.items()
    }
    assert scored["gc_content"][0]["r2"] == pytest.approx(1, abs=1e-6)
    assert scored["gc_content"][1]["r2"] < 0.9
    assert scored["distance_to_end"][1]["r2"] == pytest.approx(1, abs=1e-6)
    assert scored["mean"][0]["r2"] == pytest.approx(0, abs=1e-6)
    assert scored["mean"][0]["pearson_r"] is None


def test_line_is_least_squares():
    codes, rng = genome(), np.random.default_rng(1)
    signals = {name: rng.normal(size=(1, -(-len(c) // BIN))).astype(np.float32) for name, c in codes.items()}
    x = np.concatenate([baselines.gc(c, BIN) for c in codes.values()])
    slope, intercept = np.polyfit(x, np.concatenate([s[0] for s in signals.values()]), 1)
    predicted = baselines.fitted(codes, signals, BIN)["gc_content"](codes["a"], BIN)
    assert np.allclose(predicted[0], slope * baselines.gc(codes["a"], BIN) + intercept)


def test_unknown_stretches_take_the_usual_gc():
    codes = np.array([1, 2] * 5 + [4] * 10 + [0, 3] * 5, dtype=np.uint8)
    assert baselines.gc(codes, 10).tolist() == [1.0, 0.5, 0.0]
    assert baselines.gc(np.full(20, 4, dtype=np.uint8), 10).tolist() == [0.0, 0.0]


def test_coverage_is_the_share_within_the_band():
    truth = {"a": np.array([[0.0, 1.9, -2.1, np.nan, 5.0]])}
    means = {"a": np.zeros((1, 5))}
    totals = {"a": np.array([[1.0, 1.0, 1.0, 1.0, 9.0]])}  # bands +-1.96, the last +-5.88
    assert score(means, truth, ["t"], totals)["coverage_95"] == 0.75
    two = score({"a": np.zeros((2, 5))}, {"a": np.vstack([truth["a"], truth["a"]])}, ["t", "u"], {"a": np.ones((2, 5))})
    assert [track["coverage_95"] for track in two["per_track"]] == [0.5, 0.5]
    assert [track["track"] for track in two["per_track"]] == ["t", "u"]


def test_relative_error_is_in_units_of_each_tracks_variance():
    means, truth = {"a": np.zeros((2, 3))}, {"a": np.array([[1.0, 1, 1], [4, 4, 4]])}
    assert relative_error(score(means, truth, ["t", "u"]), [1.0, 2.0]) == pytest.approx((1 + 4) / 2)
