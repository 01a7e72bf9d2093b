"""Measurement of how far each field of an encoder looks, by making some of its input undefined."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

Sites = tuple[int, ...]

LENGTHS = (32, 128)
"""Coarsest sites of an input along the axis that is measured, one after the other: what looks farther than the last
looks everywhere."""

STARTS = (0, 1, 3)
"""Coarsest sites by which the places lie apart that are made undefined: windows would be seen by them."""


@torch.no_grad()
def measure_reaches(net: nn.Module, in_channels: int, spacings: Sequence[Sites]) -> tuple[Sites, ...] | None:
    """Measure how far each field of an encoder looks, in sites of the input, by axis.

    A band of the input is made not-a-number, which spreads to all that is computed of it, whatever the weights are. The
    result is up to a site of the field too large, never too small.

    Args:
        net: ``(N, in_channels, *space)`` to a list of fields, coarser and coarser; it is copied to the CPU.
        in_channels: channels of the input.
        spacings: sites of the input for each site of a field, by axis.

    Returns:
        Of each field how far an input site's own site of that field looks to either side; None where one looks
        everywhere, or not alike at all places (in windows), or the network takes no input that is long and narrow.
    """
    net = copy.deepcopy(net).cpu().float().eval()
    by_axis = [_measure(net, in_channels, spacings, axis) for axis in range(len(spacings[-1]))]
    if any(one is None for one in by_axis):
        return None
    return tuple(zip(*cast("list[tuple[int, ...]]", by_axis)))


def _measure(net: nn.Module, in_channels: int, spacings: Sequence[Sites], axis: int) -> tuple[int, ...] | None:
    """Return how far each field looks along one axis."""
    for length in LENGTHS:
        try:
            found = [_look(net, in_channels, spacings, axis, length, start) for start in STARTS[:1]]
            if found[0] is None:
                continue
            found += [_look(net, in_channels, spacings, axis, length, start) for start in STARTS[1:]]
        except Exception:  # of whatever kind: a network's own wishes for its input
            return None
        return tuple(map(max, found[0])) if len(set(found)) == 1 else None
    return None


def _look(
    net: nn.Module, in_channels: int, spacings: Sequence[Sites], axis: int, length: int, start: int
) -> tuple[tuple[int, int], ...] | None:
    """Return how far each field looks at a band, to the right and left; None where that is beyond the input."""
    coarsest, space = spacings[-1][axis], list(spacings[-1])
    space[axis] = length * coarsest
    first = (length // 2 - 2 + start) * coarsest
    x = torch.zeros(1, in_channels, *space)
    x.narrow(axis + 2, first, coarsest).fill_(torch.nan)
    marks = [_spread(field, axis) for field in net(x)]
    if any(one[0] or one[-1] for one in marks):
        return None
    last = first + coarsest - 1
    return tuple(_reach(one, first, last, spacing[axis]) for one, spacing in zip(marks, spacings))


def _spread(field: Tensor, axis: int) -> Tensor:
    """Return where along an axis the field of one sample is undefined, ``(sites,)``."""
    return field.isnan().movedim(axis + 2, 0).flatten(1).any(dim=1)


def _reach(marks: Tensor, first: int, last: int, spacing: int) -> tuple[int, int]:
    """Return how far, at most, sites look of which the marked ones look at input sites ``first`` to ``last``."""
    places = marks.nonzero().flatten().tolist()
    # the last site without a mark before them looks to the right to ``first - 1`` at most, and so on
    right = first - 1 - (places[0] - 1) * spacing
    left = (places[-1] + 1) * spacing - last - 1
    return right, left + spacing - 1
