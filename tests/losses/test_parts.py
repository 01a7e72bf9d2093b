"""Parts and classes told in one softmax, against torch's cross-entropy of each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from multiunet.losses import CrossEntropy, PartsAndClasses

CLASSES = 3


def join(parts: Tensor, classes: Tensor) -> Tensor:
    """Logits of parts ``(N, 1 + P, *space)`` and of independent classes ``(N, K, *space)`` as those of both."""
    inner = parts[:, 1:].log_softmax(1)[:, :, None] + classes.log_softmax(1)[:, None]
    inside = parts.log_softmax(1)[:, 1:].logsumexp(1, keepdim=True)
    return torch.cat([parts.log_softmax(1)[:, :1], inside + inner.flatten(1, 2)], dim=1)


@pytest.mark.parametrize("count", [1, 2])
def test_is_the_loss_of_the_parts_and_of_the_classes(count: int) -> None:
    torch.manual_seed(0)
    parts, classes = torch.randn(2, 1 + count, 7, 5), torch.randn(2, CLASSES, 7, 5)
    part, own = torch.randint(0, 1 + count, (2, 7, 5)), torch.randint(0, CLASSES, (2, 7, 5))
    target = torch.where(part > 0, 1 + (part - 1) * CLASSES + own, 0)
    found = PartsAndClasses(CrossEntropy(), CLASSES)(join(parts, classes), target)
    inside = part > 0
    of_classes = cross_entropy(classes.movedim(1, -1)[inside], own[inside])
    torch.testing.assert_close(found, cross_entropy(parts, part) + of_classes)


def test_objects_without_a_class_teach_their_parts_alone() -> None:
    torch.manual_seed(0)
    parts, classes = torch.randn(1, 3, 12), torch.randn(1, CLASSES, 12)
    part = torch.tensor([[0, 1, 2] * 3 + [-1, -1, -1]])
    bare = torch.where(part > 0, -1 - part, part)
    found = PartsAndClasses(CrossEntropy(), CLASSES)(join(parts, classes), bare)
    torch.testing.assert_close(found, cross_entropy(parts, part, ignore_index=-1))
