"""Statements beside the moments: each is a formula of the site's moments."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from multiunet.uncertainty import Moments, statements
from multiunet.uncertainty.conformal import SetMethod, make_sets, score_aps, score_classes
from multiunet.uncertainty.statements import ClassSet, Interval, LabelSet, describe, state


def moments_of(mean: Tensor) -> Moments[Tensor]:
    return Moments(mean, torch.full_like(mean, 3.0), torch.full_like(mean, 1.0))


def test_an_interval_is_symmetric_and_ends_at_what_there_can_be() -> None:
    mean = torch.tensor([[1.0, 10.0], [float("nan"), 0.0]])
    found = Interval(0.9, [2.0, 1.5]).compute(moments_of(mean))
    assert found["lower"].nan_to_num(-99).tolist() == [[-3.0, 7.0], [-99.0, -3.0]]
    assert found["upper"].nan_to_num(-99).tolist() == [[5.0, 13.0], [-99.0, 3.0]]
    counts = Interval(0.9, [2.0, 1.5], lowest=0.0).compute(moments_of(mean))
    assert counts["lower"].nan_to_num(-99).tolist() == [[0.0, 7.0], [-99.0, 0.0]]
    assert torch.equal(counts["upper"].nan_to_num(-99), found["upper"].nan_to_num(-99))


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("space", [(), (11,), (5, 7), (3, 5, 7)])
def test_sets_are_made_in_slabs_without_a_seam(
    method: SetMethod, space: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    p = torch.rand(2, 4, *space).softmax(dim=1)
    expected = make_sets(score_classes(method, p), 0.6, p)
    monkeypatch.setattr(statements, "SLAB", 50)
    assert torch.equal(ClassSet(0.9, method, 0.6).compute(moments_of(p))["set"], expected)


def test_daps_reads_the_edges_between_the_rows() -> None:
    p = torch.tensor([[0.9, 0.1], [0.45, 0.55]])
    edges = torch.tensor([[0, 1], [1, 0]])
    # scores of aps are (0, 0.9) and (0.55, 0), mixed (0.275, 0.45) for both
    assert ClassSet(0.9, "aps", 0.3).compute(moments_of(p))["set"].tolist() == [[True, False], [False, True]]
    assert ClassSet(0.9, "daps", 0.3).compute(moments_of(p), edges)["set"].tolist() == [[True, False], [True, True]]
    assert score_aps(p)[1].tolist() == pytest.approx([0.55, 0])
    with pytest.raises(ValueError, match="give edge_index"):
        ClassSet(0.9, "daps", 0.3).compute(moments_of(p))


def test_statements_are_stated_and_described_together() -> None:
    both = Interval(0.8, [1.0, 2.0]), LabelSet(0.9, [0.5, 0.2])
    found = state(both, moments_of(torch.tensor([[0.6, 0.7]])))
    assert list(found) == ["lower", "upper", "set"]
    assert found["set"].tolist() == [[True, False]]
    assert describe(both) == {
        "interval": 0.8,
        "interval_multipliers": [1.0, 2.0],
        "sets": 0.9,
        "set_method": "lac",
        "set_limit": [0.5, 0.2],
    }
    assert describe([ClassSet(0.9, "aps", 0.4)]) == {"sets": 0.9, "set_method": "aps", "set_limit": 0.4}
