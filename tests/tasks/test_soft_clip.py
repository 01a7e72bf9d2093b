from __future__ import annotations

import pytest
import torch

from multiunet import Regression
from multiunet.tasks.soft_clip import SoftClips

CLIPS = SoftClips([10.0, None], [2.0, 1.0])
VALUES = torch.tensor([[[1.0, 10.0, 16.0, 1e4], [1.0, 10.0, 16.0, 1e4]]])


def test_values_above_the_threshold_become_square_roots() -> None:
    squashed = CLIPS.squash(VALUES)
    torch.testing.assert_close(squashed[0, 1], VALUES[0, 1])  # without a threshold
    torch.testing.assert_close(squashed[0, 0, :3], torch.tensor([1.0, 10.0, 10 + 4 * (2 - 1)]))  # sqrt(1 + 6 / 2) = 2
    torch.testing.assert_close(CLIPS.stretch(squashed, None)[0], VALUES, rtol=1e-4, atol=1e-4)


def test_it_goes_on_from_the_line_without_a_kink() -> None:
    x = torch.tensor([[[9.999, 10.001], [0.0, 0.0]]], requires_grad=True)
    slopes = torch.autograd.grad(CLIPS.squash(x)[0, 0].sum(), x)[0][0, 0]
    torch.testing.assert_close(slopes, torch.ones(2), rtol=1e-3, atol=0)


def test_variances_are_stretched_by_the_delta_method() -> None:
    """Against draws: narrow normals, stretched one by one."""
    mean, deviation = torch.tensor([[[14.0], [3.0]]]), 0.05
    draws = mean + deviation * torch.randn(100_000, 2, 1, generator=torch.Generator().manual_seed(0))
    expected = CLIPS.stretch(draws, None)[0]
    stretched, variance = CLIPS.stretch(mean, torch.full_like(mean, deviation**2))
    assert variance is not None
    torch.testing.assert_close(stretched[0], expected.mean(0), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(variance[0], expected.var(0), rtol=2e-2, atol=0)


def test_a_task_states_its_predictions_in_the_targets_units() -> None:
    task = Regression(["a", "b"], "mse", centre=[1.0, 2.0], scale=[3.0, 4.0], clips=CLIPS)
    output = torch.tensor([[[(14.0 - 1) / 3], [(16.0 - 2) / 4]]])
    mean, _ = task.distribution(output)
    torch.testing.assert_close(mean, torch.tensor([[[16.0], [16.0]]]))
    assert float(task.loss(output, mean)) == pytest.approx(0.0, abs=1e-9)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="give a positive unit for each"):
        SoftClips([1.0], [0.0])
