"""Laws of conformal prediction, against formulas, hand-computed cases and simulated data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from multiunet.uncertainty.conformal import (
    SetMethod,
    diffuse,
    make_interval,
    make_label_sets,
    make_sets,
    pick_true,
    quantile,
    quantiles,
    score_aps,
    score_classes,
    score_lac,
    score_quantities,
)

HAND = [np.array([1.0, 2.0]), np.array([3.0]), np.array([4.0, 5.0, 6.0, 7.0])]
P = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])


def test_scores_of_a_hand_computed_case() -> None:
    torch.testing.assert_close(score_lac(P), torch.tensor([[0.5, 0.7, 0.8], [0.9, 0.9, 0.2]]))
    # of equal classes the first comes first
    torch.testing.assert_close(score_aps(P), torch.tensor([[0.0, 0.5, 0.8], [0.8, 0.9, 0.0]]))


def test_a_score_is_that_of_its_site_alone() -> None:
    p = torch.rand(2, 5, 7, 9).softmax(dim=1)
    for score in (score_lac, score_aps):
        whole = score(p)
        assert torch.equal(whole[..., 3:, 4:], score(p[..., 3:, 4:]))
        rows = score(p.movedim(1, -1).reshape(-1, 5))
        assert torch.equal(whole.movedim(1, -1).reshape(-1, 5), rows)


def test_adaptive_sets_are_the_fewest_classes_whose_probability_passes_the_limit() -> None:
    p = torch.rand(500, 6).softmax(dim=1) ** 2
    p /= p.sum(dim=1, keepdim=True)
    sets = make_sets(score_aps(p), 0.55, p)
    for row, chosen in zip(p.tolist(), sets.tolist()):
        total, expected = 0.0, set()
        for k in sorted(range(6), key=lambda k: -row[k]):
            expected.add(k)
            total += row[k]
            if total > 0.55:
                break
        assert {k for k in range(6) if chosen[k]} == expected


def test_diffusion_of_a_hand_computed_graph() -> None:
    """Node 0 hears 1 and 2, node 1 hears 0; node 2 hears itself alone, which does not count; node 3 nobody."""
    edges = torch.tensor([[1, 2, 0, 2], [0, 0, 1, 2]])
    scores = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    expected = torch.tensor([[0.5 * 1 + 0.5 * 3], [0.5 * 2 + 0.5 * 1], [4.0], [8.0]])
    torch.testing.assert_close(diffuse(scores, edges), expected)
    torch.testing.assert_close(diffuse(scores, edges, 0.0), scores)
    with pytest.raises(ValueError, match=r"share 1.5 of the neighbours' scores is outside"):
        diffuse(scores, edges, 1.5)


def test_daps_is_aps_of_the_graph() -> None:
    edges = torch.tensor([[0, 1], [1, 0]])
    expected = 0.5 * (score_aps(P) + score_aps(P).flip(0))
    torch.testing.assert_close(score_classes("daps", P, edges), expected)
    with pytest.raises(ValueError, match="give edge_index, or choose 'lac' or 'aps'"):
        score_classes("daps", P)
    with pytest.raises(ValueError, match="'raps' is none of lac, aps, daps"):
        score_classes("raps", P)  # type: ignore[arg-type]


def test_the_true_class_is_picked_and_ignored_sites_have_no_score() -> None:
    found = pick_true(score_lac(P), torch.tensor([1, -1]))
    assert found[0] == pytest.approx(0.7)
    assert found[1].isnan()


def test_errors_are_scored_in_stated_deviations() -> None:
    mean, total = torch.tensor([1.0, 1.0, 1.0, 2.0]), torch.tensor([4.0, 0.0, 0.0, 1.0])
    scores = score_quantities(mean, total, torch.tensor([5.0, 1.0, 1.5, float("nan")]))
    assert scores[:3].tolist() == [2.0, 0.0, math.inf]
    assert scores[3].isnan()


@pytest.mark.parametrize(("level", "value"), [(0.3, 2.0), (0.5, 3.0), (0.8, 4.0)])
def test_independent_sites_are_each_a_group(level: float, value: float) -> None:
    """The ``ceil(5 level)``-th of four, as of split conformal prediction: no group is better than the other."""
    assert quantile([np.array([1.0, 3.0]), np.array([2.0, 4.0])], level).value == value


def test_the_quantile_of_a_hand_computed_case() -> None:
    """Two groups of two sites, each of the mass 1/2.

    The mass 2 * 0.6 lies up to 3. Of the groups 1 and 1/2 do: their mean is 3/4, their variance 1/8, a site's 3/16. The
    correlation is (1/8 - 3/32) / (3/16 - 3/32) = 1/3, so 4 sites count as 3, and the mass 1.2 * 4/3 lies up to 4.
    """
    assert quantile([np.array([1.0, 2.0]), np.array([3.0, 4.0])], 0.6).value == 4.0


def test_a_higher_level_has_no_lower_quantile() -> None:
    found = quantiles(HAND, [0.95, 0.5, 0.8, 0.75])
    values = [found[level].value for level in (0.5, 0.75, 0.8, 0.95)]
    assert values == sorted(values)
    assert [found[level].guaranteed for level in (0.5, 0.75, 0.8, 0.95)] == [True, True, False, False]


def test_sites_that_are_all_alike_are_one_site() -> None:
    single = list(np.random.default_rng(0).normal(size=(12, 1)))
    for level in (0.5, 0.8, 0.9):
        assert quantile([np.repeat(scores, 7) for scores in single], level) == quantile(single, level)


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_coverage_of_new_groups_is_the_level_and_not_much_more(shared: float) -> None:
    """Thirteen chromosomes, say: the hierarchical quantile covers 0.97 in place of 0.9."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(400):
        groups = [np.abs(shared * rng.normal() + rng.normal(size=100)) for _ in range(14)]
        covered.append((groups[-1] <= quantile(groups[:-1], 0.9).value).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("count", [4, 9, 19, 20, 99, 500])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_of_one_site_a_group_it_is_split_conformal_prediction(count: int, level: float) -> None:
    scores = np.random.default_rng(count).normal(size=count)
    rank = math.ceil(round((count + 1) * level, 9))
    found = quantile(list(scores), level)
    assert found.guaranteed == (rank <= count)
    if found.guaranteed:
        assert found.value == np.sort(scores)[rank - 1]


def test_equal_groups_count_alike_whatever_their_size() -> None:
    small, large = np.array([1.0, 5.0]), np.repeat([1.0, 5.0], 1000)
    other = [np.array([2.0, 3.0]), np.array([4.0])]
    for level in (0.3, 0.5, 0.74):
        assert quantile([small, *other], level) == quantile([large, *other], level)


def test_sites_that_are_not_known_do_not_count() -> None:
    gaps = [np.array([[1.0, np.nan], [2.0, np.nan]]), np.array([np.nan]), *HAND[1:]]
    assert quantile(gaps, 0.5) == quantile(HAND, 0.5)
    assert quantile([torch.from_numpy(scores) for scores in HAND], 0.5) == quantile(HAND, 0.5)


def test_one_group_and_impossible_levels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1 group of scores: .* need two or more groups"):
        quantile([np.arange(1000.0), np.array([np.nan])], 0.5)
    with pytest.raises(ValueError, match="0 groups of scores"):
        quantile([], 0.5)
    for level in (0.0, 1.0, 90.0):
        with pytest.raises(ValueError, match=r"is outside \(0, 1\)"):
            quantile(HAND, level)


def groups_of(count: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Exchangeable groups of errors: each has a bias and a size of its own, and small ones err more."""
    sizes = rng.choice([5, 40], count)
    return [np.abs(rng.normal(0, 1 if size == 40 else 3) + rng.normal(0, 0.2, size)) for size in sizes]


def test_coverage_of_new_groups_is_the_level_where_that_of_pooled_sites_is_not() -> None:
    """The law that matters: sites of a group are wrong together, so that sites by themselves promise too much."""
    rng, level, trials = np.random.default_rng(0), 0.8, 600
    grouped, pooled = [], []
    for _ in range(trials):
        *known, new = groups_of(10, rng)
        sites = np.concatenate(known)
        grouped.append((new <= quantile(known, level).value).mean())
        pooled.append((new <= quantile(list(sites), level).value).mean())
    deviation = np.std(grouped) / math.sqrt(trials)
    assert level - 3 * deviation <= np.mean(grouped) <= level * 10 / 9 + 3 * deviation
    assert np.mean(pooled) < level - 0.05


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_cover_whatever_the_network_is_like(method: SetMethod) -> None:
    """The probabilities are wrong on purpose: too sure. Sites are exchangeable, a group each."""
    rng, level = np.random.default_rng(1), 0.9
    covered = []
    for _ in range(150):
        logits = rng.normal(size=(240, 5))
        truth = np.array([rng.choice(5, p=np.exp(row) / np.exp(row).sum()) for row in logits])
        p, target = torch.from_numpy(4 * logits).softmax(dim=1), torch.from_numpy(truth)
        scores = score_classes(method, p)
        limit = quantile(list(pick_true(scores, target)[:199].numpy()), level).value
        sets = make_sets(scores, limit, p)[199:]
        covered.append(sets.gather(1, target[199:, None]).float().mean().item())
    assert level - 0.015 < np.mean(covered) < level + 0.02


def test_the_most_probable_class_is_in_every_set() -> None:
    p = torch.rand(3, 4, 6, 6).softmax(dim=1)
    methods: tuple[SetMethod, ...] = ("lac", "aps")
    for method in methods:
        sets = make_sets(score_classes(method, p), -1.0, p)
        assert torch.equal(sets.int().argmax(dim=1), p.argmax(dim=1))
        assert bool((sets.sum(dim=1) == 1).all())


def test_labels_have_limits_of_their_own() -> None:
    sets = make_label_sets(torch.tensor([[0.9, 0.4], [0.3, 0.1]]), [0.2, 0.7])
    assert sets.tolist() == [[True, True], [False, False]]
    with pytest.raises(ValueError, match="1 limits for 2 channels"):
        make_label_sets(P[:, :2], [0.5])


def test_intervals_are_the_mean_and_multiples_of_the_deviation() -> None:
    mean, total = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[[4.0, 0.0], [1.0, 9.0]]])
    lower, upper = make_interval(mean, total, [2.0, 1.0])
    assert lower.tolist() == [[[-3.0, 2.0], [2.0, 1.0]]]
    assert upper.tolist() == [[[5.0, 2.0], [4.0, 7.0]]]


def test_an_interval_holds_what_its_score_allows() -> None:
    """Interval and score are one: the truth is inside just where its score is at most the multiplier."""
    mean, total, truth = torch.randn(400, 1), torch.rand(400, 1), torch.randn(400, 1)
    lower, upper = make_interval(mean, total, [1.3])
    inside = (lower <= truth) & (truth <= upper)
    assert torch.equal(inside, score_quantities(mean, total, truth) <= 1.3)
