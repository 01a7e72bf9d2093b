from __future__ import annotations

import pytest
import torch

from multiunet.geometries import Graph
from multiunet.models.patch_gan import PatchDiscriminator, patch_gan


@pytest.mark.parametrize(("shape", "coarse"), [((50,), (7,)), ((33, 20), (5, 3)), ((9, 17, 24), (2, 3, 3))])
def test_a_score_for_each_coarse_site_of_any_size(shape: tuple[int, ...], coarse: tuple[int, ...]) -> None:
    net = patch_gan(len(shape), in_channels=3, channels=(4, 8, 8))
    assert net(torch.zeros(2, 3, *shape)).shape == (2, 1, *coarse)


def test_an_axis_may_keep_its_sites() -> None:
    net = patch_gan(3, 2, (4, 8), strides=[(1, 2, 2), (2, 2, 2)])
    assert net(torch.zeros(1, 2, 6, 16, 16)).shape == (1, 1, 3, 4, 4)
    with pytest.raises(ValueError, match="2 channels and 3 strides"):
        patch_gan(2, 2, (4, 8), strides=[(2, 2)] * 3)


def test_a_score_sees_45_sites() -> None:
    """Without norms, which look at all sites: the gradient of one score says what it saw."""
    net = patch_gan(1, 1, (4, 4, 4))
    for module in net.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.forward = lambda x: x  # type: ignore[method-assign]
    x = torch.randn(1, 1, 128, requires_grad=True)
    net(x)[0, 0, 8].backward()
    seen = x.grad[0, 0].nonzero().flatten()
    assert int(seen[-1] - seen[0]) + 1 == 45


def test_a_graph_has_one_too() -> None:
    graph = Graph()
    field = graph.example(3, seed=0)
    scores = PatchDiscriminator([graph, graph], 3, [4, 4])(field)
    features = graph.features(scores)
    assert features.shape[1] == 1
    assert 0 < len(features) < len(graph.features(field))
