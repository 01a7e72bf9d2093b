from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from multiunet.metrics import Ranking, roc_auc


def test_area_agrees_with_torchmetrics_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    for digits in (1, 6):
        score = np.round(rng.random(200), digits)
        positive = rng.random(200) < 0.3 + 0.4 * score
        peer = binary_auroc(torch.from_numpy(score), torch.from_numpy(positive.astype(np.int64)))
        assert roc_auc(score, positive) == pytest.approx(float(peer), abs=1e-6)


@pytest.mark.parametrize("digits", [8, 1, 0])  # with ever more ties
def test_it_is_the_share_of_pairs_in_order(digits: int) -> None:
    rng = np.random.default_rng(digits)
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(positive, 1), digits)
    pairs = score[positive][:, None] - score[~positive][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert roc_auc(score, positive) == pytest.approx(expected)
    assert roc_auc(-score, positive) == pytest.approx(1 - expected)


def test_a_perfect_and_a_reversed_order() -> None:
    assert roc_auc(torch.tensor([0.1, 0.2, 0.9]), torch.tensor([False, False, True])) == 1.0
    assert roc_auc(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([False, False, True])) == 0.0


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_one_kind_alone_has_no_area(positive: list[bool]) -> None:
    assert roc_auc(np.array([0.1, 0.9]), np.array(positive)) is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        roc_auc(np.array([0.1, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="differ in shape"):
        roc_auc(np.array([0.1]), np.array([True, False]))


def ranked_in_pieces(values: np.ndarray, wrong: np.ndarray, exact: int) -> Ranking:
    """Sites that were added piece by piece, some to an item of their own that was merged."""
    ranking, item = Ranking(exact=exact), Ranking(exact=exact)
    for place, part in enumerate(np.array_split(np.arange(values.size), 7)):
        (item if place in (2, 4) else ranking).add(values[part], [wrong[part]])
    ranking.merge(item)
    return ranking


def test_pieces_and_merged_items_rank_as_the_whole() -> None:
    rng = np.random.default_rng(1)
    values = np.round(rng.random(3000), 2)
    wrong = rng.random(3000) < values
    found = ranked_in_pieces(values, wrong, 10_000).sorted()
    assert found.roc_auc() == pytest.approx(roc_auc(values.astype(np.float32), wrong))
    assert found.sites.sum() == 3000
    assert (np.diff(found.values) > 0).all()
    assert found.losses.sum() == wrong.sum()


@pytest.mark.parametrize("exact", [0, 100, 2999])
def test_many_sites_are_ranked_within_the_stated_error(exact: int) -> None:
    rng = np.random.default_rng(2)
    values = rng.random(3000) ** 4 / 1000
    wrong = rng.random(3000) < 1000 * values
    found = ranked_in_pieces(values, wrong, exact).sorted()
    of_all = roc_auc(values, wrong)
    assert 0 < abs(found.roc_auc() - of_all) <= found.tied_pairs() / 2 < 1e-3
    # rounded down to one part in 2,048
    kept = np.repeat(found.values, found.sites)
    assert (np.sort(values.astype(np.float32)) * (1 - 1 / 2048) <= kept).all()
    assert (kept <= np.sort(values.astype(np.float32))).all()


def test_zero_and_nothing_are_ranked_too() -> None:
    for exact in (0, 10):
        ranking = Ranking(exact=exact)
        assert ranking.sorted().roc_auc() is None
        ranking.add(np.array([0.0, -0.0, 0.5]), [np.array([0, 0, 1])])
        found = ranking.sorted()
        assert found.values.tolist() == [0.0, 0.5]
        assert found.sites.tolist() == [2, 1]
        assert found.roc_auc() == 1.0


def test_what_cannot_be_ranked_is_refused() -> None:
    ranking = Ranking()
    with pytest.raises(ValueError, match=r"a value is -0\.1"):
        ranking.add(np.array([-0.1]), [np.array([0])])
    with pytest.raises(ValueError, match="1 of 1 scores are not finite"):
        ranking.add(np.array([np.inf]), [np.array([0])])
    with pytest.raises(ValueError, match="2 losses of each site, expected 1"):
        ranking.add(np.array([0.1]), [np.array([0]), np.array([0])])
    with pytest.raises(ValueError, match="differ in shape"):
        ranking.add(np.array([0.1]), [np.array([0, 1])])
    with pytest.raises(ValueError, match="ranking of 2 losses"):
        ranking.merge(Ranking(kinds=2))
