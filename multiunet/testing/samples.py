"""Law 9: a Monte-Carlo sample is one network, determined by its key; those of a shared trail, too."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Encoder, Geometry
from multiunet.testing.helpers import assert_same
from multiunet.uncertainty.mc_dropout import dropouts, mc_dropout_sample

S = TypeVar("S")


def check_samples(net: nn.Module, geometry: Geometry[S], field: S, condition: Condition | None = None) -> None:
    """Check the Monte-Carlo samples of a network that has dropout; one without has none.

    Raises:
        AssertionError: naming what of the law is broken.
    """
    net.eval()
    if not dropouts(net):
        return

    def run(sample: int | None) -> Tensor:
        with torch.no_grad():
            if sample is None:
                return geometry.features(net(field, condition))
            with mc_dropout_sample(net, 0, sample):
                return geometry.features(net(field, condition))

    plain, first, again, others = run(None), run(0), run(0), [run(sample) for sample in range(1, 9)]
    assert torch.equal(first, again), "law 9, samples: one key gives two networks"
    # few of the eight may hit the same mask, where a layer has few channels
    assert any(not torch.equal(first, other) for other in others), "law 9, samples: all keys give one network"
    assert not any(module.training for module in net.modules()), "law 9, samples: a module is left in training mode"
    assert torch.equal(run(None), plain), "law 9, samples: the network itself is not as it was"
    if isinstance(net, Encoder):
        check_shared_trail(net, geometry, field, condition)


@torch.no_grad()
def check_shared_trail(net: Encoder[S], geometry: Geometry[S], field: S, condition: Condition | None = None) -> None:
    """Check that samples of a trail that they share are those of a trail of their own.

    Raises:
        AssertionError: when one is another, or is written over by a later one.
    """
    net.eval()
    shared, found, expected = net.share(net.encode(field, condition)), [], []
    for sample in range(3):
        own = net.encode(field, condition)
        with mc_dropout_sample(net, 0, sample):
            found.append(geometry.features(net.decode(shared, condition)))
            expected.append(geometry.features(net.decode(own, condition)))
    for sample, (one, other) in enumerate(zip(found, expected)):
        assert_same(one, other, f"law 9, samples: sample {sample} of a shared trail differs")
