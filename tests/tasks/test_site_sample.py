"""Sites in bounded memory: exact sums, and samples that do not depend on pieces or merging."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet.metrics import regression_scores
from multiunet.tasks import RegressionScore, site_sample
from multiunet.tasks.site_sample import PairSums, SiteSample
from multiunet.uncertainty import Moments

EXACT = ("pearson_r", "r2", "mse", "rmse", "mae")


def pairs(count: int, seed: int = 0, names: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(5, 2, (names, count)).astype(np.float32)
    mean = (truth + rng.normal(0.3, 1, truth.shape)).astype(np.float32)
    truth[:, ::7] = np.nan
    return mean, truth


def test_sums_of_pieces_give_the_scores_of_all() -> None:
    mean, truth = pairs(500)
    expected = regression_scores(mean[0], truth[0])
    total = PairSums()
    for cut in np.array_split(np.arange(500), 9):
        total.add(PairSums.of(mean[0, cut], truth[0, cut]))
    total.add(PairSums.of(mean[0, :0], truth[0, :0]))
    scores = total.scores()
    for name in EXACT:
        assert scores[name] == pytest.approx(expected[name], rel=1e-9), name


def test_sums_of_constants_and_of_nothing_are_not_defined() -> None:
    scores = PairSums.of(np.arange(4.0), np.ones(4)).scores()
    assert scores["pearson_r"] is scores["r2"] is None
    assert scores["mae"] == 1.0
    assert set(PairSums().scores().values()) == {None}
    with pytest.raises(ValueError, match="1 of 4 predicted values are not finite"):
        PairSums.of(np.array([1, 2, np.inf, 3]), np.arange(4.0))


def test_a_sample_depends_on_its_pieces_alone_not_on_their_order() -> None:
    pieces = [pairs(40, seed, names=2) for seed in range(8)]
    forth, back, joined = (SiteSample(2, most=60) for _ in range(3))
    for piece in pieces:
        forth.add(piece)
    for piece in reversed(pieces):
        one = SiteSample(2, most=60)
        one.add(piece)
        back.merge(one)
    for piece in pieces[:4]:
        joined.add(piece)
    rest = SiteSample(2, most=60)
    for piece in pieces[4:]:
        rest.add(piece)
    joined.merge(rest)
    found = [np.sort(sample.joined()[0], axis=1) for sample in (forth, back, joined)]
    assert found[0].shape == (2, 30)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    assert not forth.is_whole
    assert forth.count == 320


@pytest.mark.parametrize("names", [1, 2])
def test_scores_of_many_sites_are_exact_or_of_a_sample(names: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mean, truth = pairs(4000, names=names)
    total = np.full_like(mean, 1.0) + np.abs(mean) / 10

    def score(pieces: int) -> dict:
        made = RegressionScore([f"q{number}" for number in range(names)])
        for cut in np.array_split(np.arange(4000), pieces):
            part = [torch.from_numpy(values[:, cut]).T for values in (mean, truth, total)]
            made.add(part[0], part[1], Moments(part[0], torch.zeros_like(part[2]), part[2]))
        return made.result()

    whole = score(1)
    monkeypatch.setattr(SiteSample.__init__, "__defaults__", (1000 * names,))
    sampled = score(7)
    tracks = [(sampled, whole)] if names == 1 else list(zip(sampled["per_track"], whole["per_track"]))
    for found, expected in tracks:
        for name in (*EXACT, "mean_error", "coverage_90"):
            assert found[name] == pytest.approx(expected[name], rel=1e-6), name
        for name in ("spearman_r", "nll", "mean_total"):
            assert found[name] == pytest.approx(expected[name], rel=0.1), name
            assert found[name] != expected[name], name
    assert sampled["r2"] == pytest.approx(whole["r2"], rel=1e-6)


def test_few_sites_are_all_kept() -> None:
    sample = SiteSample(1)
    sample.add(pairs(10))
    assert sample.is_whole
    np.testing.assert_array_equal(sample.joined()[1], pairs(10)[1])
    assert site_sample.MOST == 1 << 23
