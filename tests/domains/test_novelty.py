from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from multiunet.domains.novelty import Novelty, join_novelty
from multiunet.tasks import Regression, Segmentation
from multiunet.uncertainty import Moments


def moments(scale: float, seed: int, names: int = 2) -> Moments[Tensor]:
    """Variances of an image, the larger the scale the larger, ``(1, names, 6, 5)``."""
    g = torch.Generator().manual_seed(seed)
    total = scale * torch.rand(1, names, 6, 5, generator=g)
    return Moments(torch.zeros_like(total), 0.1 * total.flip(1), total - 0.1 * total.flip(1))


def test_areas_are_those_of_sums_over_classes_at_sites_and_of_their_means_over_items() -> None:
    task = Segmentation(["a", "b"])
    images = {("x", False): 1.0, ("y", False): 1.2, ("x", True): 1.4, ("z", True): 1.1}
    whole, first, second = Novelty(task), Novelty(task), Novelty(task)
    sites, items = [], []
    for place, ((name, other), scale) in enumerate(images.items()):
        found = moments(scale, place)
        for rows in (slice(0, 2), slice(2, 6)):
            whole.add(found.map(lambda part: part[:, :, rows]), name, other)  # noqa: B023  called at once
        (first if place % 2 else second).add(found, name, other)
        sites.append(found.total.sum(dim=1).flatten())
        items.append(float(sites[-1].mean()))
    positive = torch.tensor([0, 0, 1, 1])
    scores = whole.scores()
    assert scores["ood_item_auroc"] == pytest.approx(binary_auroc(torch.tensor(items) / 2, positive).item())
    at_sites = binary_auroc(torch.cat(sites) / 3, positive.repeat_interleave(30)).item()
    assert scores["ood_site_auroc"] == pytest.approx(at_sites)
    assert set(scores) == {f"ood_{of}_auroc{by}" for of in ("item", "site") for by in ("", "_epistemic")}
    assert join_novelty([first, second]) == pytest.approx(scores)
    assert join_novelty([]) == {}


def test_quantities_weigh_as_their_scales_say() -> None:
    task = Regression(["small", "large"], scale=[0.1, 100.0])
    told = Novelty(task)
    low, high = torch.tensor([[0.01, 9000.0], [0.02, 9000.0]]), torch.tensor([[0.03, 5000.0], [0.04, 5000.0]])
    told.add(Moments(low, 0 * low, low), None, other=False)
    told.add(Moments(high, 0 * high, high), None, other=True)
    assert told.scores() == {
        "ood_item_auroc": None,
        "ood_item_auroc_epistemic": None,
        "ood_site_auroc": 1.0,
        "ood_site_auroc_epistemic": 0.5,
    }


def test_sites_that_are_not_predicted_do_not_count() -> None:
    told = Novelty(Segmentation(["a", "b"]))
    nothing = torch.full((1, 2, 3), float("nan"))
    told.add(Moments(nothing, nothing, nothing), "x", other=True)
    assert set(told.scores().values()) == {None}
