"""What every loss obeys, whatever it computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from multiunet import losses
from multiunet.losses import (
    MAE,
    MSE,
    CrossEntropy,
    Dice,
    DiceCE,
    Focal,
    GaussianNLL,
    Huber,
    Poisson,
    SoftJaccard,
    Tversky,
)

CLASSES = 3


class Case(NamedTuple):
    """A loss, the channels of its output, and how to draw its target on ``(N, *space)`` or ``(nodes,)``."""

    loss: nn.Module
    channels: int
    target: Callable[[tuple[int, ...]], Tensor]


def classes(sites: tuple[int, ...]) -> Tensor:
    return torch.randint(CLASSES, sites)


def inside(sites: tuple[int, ...]) -> Tensor:
    return torch.randint(2, sites)


def labels(sites: tuple[int, ...]) -> Tensor:
    return torch.randint(2, (sites[0], CLASSES, *sites[1:])).float()


def quantities(sites: tuple[int, ...]) -> Tensor:
    return torch.rand(sites[0], CLASSES, *sites[1:]) * 4


SEGMENTATION = {
    "dice": Dice,
    "dice-squared": lambda **kw: Dice(squared=True, **kw),
    "jaccard": SoftJaccard,
    "tversky": Tversky,
    "cross-entropy": lambda **kw: CrossEntropy(label_smoothing=0.1, **kw),
    "focal": lambda **kw: Focal(gamma=1.5, **kw),
    "dice-ce": DiceCE,
}
CASES = {
    f"{name}-{kind}": Case(loss(kind=kind, class_weights=weights), channels, target)
    for name, loss in SEGMENTATION.items()
    for kind, channels, target, weights in [
        ("multiclass", CLASSES, classes, [0.5, 1.0, 2.0]),
        ("binary", 1, inside, [0.5, 2.0]),
        ("multilabel", CLASSES, labels, [0.5, 1.0, 2.0]),
    ]
} | {
    "mse": Case(MSE(), CLASSES, quantities),
    "mae": Case(MAE(), CLASSES, quantities),
    "huber": Case(Huber(0.7), CLASSES, quantities),
    "poisson": Case(Poisson(), CLASSES, quantities),
    "gaussian-nll": Case(GaussianNLL(), 2 * CLASSES, quantities),
    "beta-nll": Case(GaussianNLL(beta=0.5), 2 * CLASSES, quantities),
}
SHAPES = {"1d": (2, 7), "2d": (2, 4, 3), "3d": (2, 3, 2, 2), "nodes": (11,)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(0)
    return CASES[request.param]


def draw(case: Case, sites: tuple[int, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    output = torch.randn(sites[0], case.channels, *sites[1:], dtype=dtype)
    target = case.target(sites)
    return output.requires_grad_(), target.to(dtype) if target.is_floating_point() else target


def as_nodes(x: Tensor, channels: bool) -> Tensor:
    return x.movedim(1, -1).flatten(0, -2) if channels else x.flatten()


def test_public_names() -> None:
    assert losses.__all__ == [
        "MAE",
        "MSE",
        "Consistent",
        "CrossEntropy",
        "Dice",
        "DiceCE",
        "Focal",
        "GaussianNLL",
        "Huber",
        "Kind",
        "Labelled",
        "Labelling",
        "NegativeBinomial",
        "PartsAndClasses",
        "Poisson",
        "PoissonMultinomial",
        "SoftJaccard",
        "Tversky",
        "border_weights",
    ]


@pytest.mark.parametrize("shape", ["1d", "2d", "3d"])
def test_grid_equals_its_sites_as_nodes(case: Case, shape: str) -> None:
    output, target = draw(case, SHAPES[shape])
    weight = torch.rand(SHAPES[shape], dtype=torch.float64)
    nodes = case.loss(as_nodes(output, True), as_nodes(target, target.ndim == output.ndim), weight.flatten())
    torch.testing.assert_close(case.loss(output, target, weight), nodes)


@pytest.mark.parametrize("boolean", [True, False])
def test_weight_zero_equals_removing_the_sites(case: Case, boolean: bool) -> None:
    output, target = draw(case, SHAPES["nodes"])
    keep = torch.arange(11) % 3 != 0
    weight = keep if boolean else keep.double()
    torch.testing.assert_close(case.loss(output, target, weight), case.loss(output[keep], target[keep]))


def test_weight_two_equals_the_site_twice(case: Case) -> None:
    output, target = draw(case, SHAPES["nodes"])
    weight = torch.ones(11).index_fill(0, torch.tensor([2, 5]), 2.0)
    twice = torch.cat([torch.arange(11), torch.tensor([2, 5])])
    torch.testing.assert_close(case.loss(output, target, weight), case.loss(output[twice], target[twice]))


@pytest.mark.parametrize("junk", [math.nan, math.inf, -math.inf])
def test_nothing_leaks_from_a_removed_site(case: Case, junk: float) -> None:
    output, target = draw(case, SHAPES["2d"])
    weight = torch.ones(SHAPES["2d"])
    weight[0, 1, 2] = 0
    clean = case.loss(output, target, weight)
    spoilt = output.detach().clone()
    spoilt[0, :, 1, 2] = junk
    spoilt.requires_grad_()
    if target.is_floating_point():
        target[0, :, 1, 2] = junk
    else:
        target[0, 1, 2] = 99
    loss = case.loss(spoilt, target, weight)
    loss.backward()
    assert loss.item() == clean.item()
    assert spoilt.grad is not None
    assert spoilt.grad.isfinite().all()
    assert (spoilt.grad[0, :, 1, 2] == 0).all()
    assert (spoilt.grad != 0).sum() > case.channels


@pytest.mark.parametrize("why", ["weight", "target", "no sites"])
def test_no_valid_site_gives_a_zero_with_a_graph(case: Case, why: str) -> None:
    sites = (2, 0, 3) if why == "no sites" else SHAPES["2d"]
    output, target = draw(case, sites)
    weight = torch.zeros(sites) if why == "weight" else None
    if why == "target":
        target = target.fill_(math.nan if target.is_floating_point() else -1)
    if why != "no sites":
        output = torch.full_like(output, math.nan).requires_grad_()
    loss = case.loss(output, target, weight)
    loss.backward()
    assert loss.item() == 0.0
    assert output.grad is not None
    assert (output.grad == 0).all()


def test_gradient(case: Case) -> None:
    output, target = draw(case, (2, 3, 2))
    weight = torch.rand(2, 3, 2, dtype=torch.float64)
    if isinstance(case.loss, GaussianNLL) and case.loss.beta:
        pytest.skip("its factor carries no gradient on purpose; see test_beta_nll_gradients")
    assert torch.autograd.gradcheck(lambda x: case.loss(x, target, weight), output)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(case: Case, dtype: torch.dtype) -> None:
    output, target = draw(case, (2, 40, 40), dtype=torch.float32)
    half = output.detach().to(dtype).requires_grad_()
    expected = case.loss(half.detach().float(), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = case.loss(half, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == expected.item()
    assert half.grad is not None
    assert half.grad.dtype == dtype


def test_weight_of_another_shape_is_refused(case: Case) -> None:
    output, target = draw(case, SHAPES["2d"])
    with pytest.raises(ValueError, match=r"weight \(2, 1, 4, 3\) does not fit the output .* \(2, 4, 3\)"):
        case.loss(output, target, torch.ones(2, 1, 4, 3))


def test_target_of_another_shape_is_refused(case: Case) -> None:
    output, target = draw(case, SHAPES["2d"])
    with pytest.raises(ValueError, match=r"\(2, \d, 4, 3\).* does not fit|does not fit .*\(2, \d, 4, 3\)"):
        case.loss(output, target[..., :2])
