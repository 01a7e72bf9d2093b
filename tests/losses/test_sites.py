from __future__ import annotations

import math

import pytest
import torch

from multiunet.losses import Labelling


def test_multiclass_by_hand() -> None:
    output = torch.arange(8.0).reshape(1, 2, 4)
    read = Labelling(ignore_index=255)(
        output, torch.tensor([[1, 255, 0, 1]], dtype=torch.uint8), torch.tensor([[1, 1, 0, 3]])
    )
    assert read.weight.tolist() == [[[1, 0, 0, 3]]]
    assert read.labels.tolist() == [[1, 0, 0, 1]]
    assert (read.weight * read.truth()).tolist() == [[[0, 0, 0, 0], [1, 0, 0, 3]]]
    assert (read.weight * (1 - read.truth())).tolist() == [[[1, 0, 0, 3], [0, 0, 0, 0]]]
    assert read.logits.tolist() == [[[0, 0, 0, 3], [4, 0, 0, 7]]]


def test_no_ignore_index_makes_every_value_a_label() -> None:
    with pytest.raises(ValueError, match=r"label -1 is outside the 2 classes 0\.\.1 \(2 such sites\)"):
        Labelling(ignore_index=None)(torch.zeros(3, 2), torch.tensor([0, -1, -1]))


@pytest.mark.parametrize(
    ("labelling", "output", "target", "message"),
    [
        (Labelling(), torch.zeros(1, 3, 4), torch.full((1, 4), 5), r"label 5 is outside the 3 classes 0\.\.2 \(4 such"),
        (
            Labelling("binary"),
            torch.zeros(4, 1),
            torch.tensor([0, 1, 2, 1]),
            r"label 2 is outside the 2 classes 0\.\.1",
        ),
        (Labelling("multilabel"), torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]), r"target 3 is outside 0\.\.1"),
        (Labelling(), torch.zeros(1, 1, 4), torch.zeros(1, 4).long(), 'has 1; for one logit set kind="binary"'),
        (Labelling("binary"), torch.zeros(1, 2, 4), torch.zeros(1, 4).long(), r"need 1 logit .* \(1, 2, 4\) has 2"),
        (Labelling(), torch.zeros(1, 2, 4), torch.zeros(1, 1, 4).long(), r"target \(1, 1, 4\) .* must be \(1, 4\)"),
        (Labelling("multilabel"), torch.zeros(5, 2), torch.zeros(5), r"must be \(5, 2\)"),
        (Labelling(), torch.zeros(5, 2), torch.zeros(5), r"expected integers, got torch\.float32"),
        (Labelling(), torch.zeros(5), torch.zeros(5).long(), r"output \(5,\) has no channel axis"),
        (Labelling(class_weights=[1, 2]), torch.zeros(5, 3), torch.zeros(5).long(), "2 entries for 3 classes"),
    ],
)
def test_what_does_not_fit_is_named(labelling: Labelling, output, target, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelling(output, target)


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [], [math.nan, 1.0]])
def test_impossible_class_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="class_weights"):
        Labelling(class_weights=weights)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind 'softmax' is none of multiclass, binary, multilabel"):
        Labelling("softmax")  # type: ignore[arg-type]
