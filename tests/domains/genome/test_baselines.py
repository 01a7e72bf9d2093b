import numpy as np
import pytest

from multiunet.domains.genome import baselines
from multiunet.metrics import regression_scores

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
    methods = baselines.fit(codes, codes, signals, BIN)
    scored = {
        name: regression_scores(
            np.concatenate([method(codes[c], BIN) for c in codes], axis=1),
            np.concatenate([signals[c] for c in codes], axis=1),
        )["per_track"]
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
    x = np.concatenate([baselines.fill_gc(c, BIN) for c in codes.values()])
    slope, intercept = np.polyfit(x, np.concatenate([s[0] for s in signals.values()]), 1)
    predicted = baselines.fit(codes, codes, signals, BIN)["gc_content"](codes["a"], BIN)
    assert np.allclose(predicted[0], slope * baselines.fill_gc(codes["a"], BIN) + intercept)


def test_unknown_stretches_take_the_usual_gc():
    codes = np.array([1, 2] * 5 + [4] * 10 + [0, 3] * 5, dtype=np.uint8)
    assert baselines.fill_gc(codes, 10).tolist() == [1.0, 0.5, 0.0]
    assert baselines.fill_gc(np.full(20, 4, dtype=np.uint8), 10).tolist() == [0.0, 0.0]
