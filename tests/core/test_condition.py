from __future__ import annotations

import pytest
import torch

from multiunet.core import Condition, Modulation


def test_joined_embeddings_are_the_rows_in_order() -> None:
    rows = torch.arange(6.0).reshape(3, 2)
    joined = Condition.join([Condition(rows[:1]), Condition(rows[1:])])
    assert joined.embedding is not None
    assert torch.equal(joined.embedding, rows)
    assert joined.tokens is None
    assert joined.token_mask is None


def test_shorter_sequences_are_padded_and_masked() -> None:
    joined = Condition.join([Condition(tokens=torch.ones(1, 2, 3)), Condition(tokens=torch.ones(2, 4, 3))])
    assert joined.tokens is not None
    assert joined.token_mask is not None
    assert joined.tokens.sum(dim=(1, 2)).tolist() == [6, 12, 12]
    assert joined.token_mask.tolist() == [[True, True, False, False], [True] * 4, [True] * 4]


def test_a_mask_that_was_given_is_kept() -> None:
    mask = torch.tensor([[True, False]])
    joined = Condition.join(
        [Condition(tokens=torch.ones(1, 2, 1), token_mask=mask), Condition(tokens=torch.ones(1, 2, 1))]
    )
    assert joined.token_mask is not None
    assert joined.token_mask.tolist() == [[True, False], [True, True]]


def test_repeat_is_that_of_cat() -> None:
    x = torch.arange(4.0).reshape(2, 2)
    repeated = Condition(x, x[:, None]).repeat(3)
    assert repeated.embedding is not None
    assert repeated.tokens is not None
    assert torch.equal(repeated.embedding, torch.cat([x] * 3))
    assert torch.equal(repeated.tokens[:, 0], torch.cat([x] * 3))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((torch.ones(2),), r"embedding \(2,\) must be"),
        ((None, torch.ones(2, 3)), "tokens .* must be"),
        ((None, torch.ones(2, 3, 1), torch.ones(2, 2, dtype=torch.bool)), "token_mask must have one entry"),
        ((torch.ones(1, 2), torch.ones(2, 3, 1)), "differ"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(parts: tuple, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Condition(*parts)


def test_some_with_and_some_without_are_refused() -> None:
    with pytest.raises(ValueError, match="some samples of a batch have an embedding and some have none"):
        Condition.join([Condition(torch.ones(1, 2)), Condition()])


def test_modulation_changes_nothing_at_first_and_then_by_its_formula() -> None:
    modulation = Modulation(3, 2)
    scale, shift = modulation(torch.randn(4, 3))
    assert scale.shape == shift.shape == (4, 2)
    assert not scale.any()
    assert not shift.any()
    with torch.no_grad():
        modulation.linear.weight.copy_(torch.arange(12.0).reshape(4, 3))
    scale, shift = modulation(torch.tensor([[1.0, 0.0, 0.0]]))
    assert scale.tolist() == [[0, 3]]
    assert shift.tolist() == [[6, 9]]
