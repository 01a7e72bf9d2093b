"""Open reading frames of DNA as channels, computed, not learnt."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core.exporting import is_exporting

CAP = 1023
"""Bases to either side up to which a stop is looked for; a multiple of 3."""

CHANNELS = 12


class ReadingFrames(nn.Module):
    """Two channels for each of six reading frames, from one-hot DNA ``(N, 4, L)`` to ``(N, 12, L)``.

    Of the codon that a base lies in: how long the stretch without a stop is (the logarithm of its bases, 0 to 1); and
    how long the open frame from its first ATG to its stop is, 0 outside of one. The first six channels are of the given
    strand, for the base as the first, second and third of a codon; the others are of the other strand. Layers that
    count to three over thousands of bases are hard to learn; on a small genome, impossible.

    A stop farther than ``CAP`` bases is as one at that distance; unknown bases are in no stop and no start.

    Attributes:
        reach: bases to either side on which a channel depends.
    """

    reach = CAP + 6

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels; of 0 bases none."""
        given, other = _frames(x), _frames(x.flip(1, 2)).flip(2)
        return torch.cat([given, other], dim=1)


def _frames(x: Tensor) -> Tensor:
    """Return the channels of the given strand, ``(N, 6, L)``."""
    length = x.shape[2]
    base = functional.pad(x, (0, 2 + -length % 3))
    first, second, third = (base[:, :, shift : base.shape[2] - 2 + shift] > 0.5 for shift in range(3))
    stop = first[:, 3] & ((second[:, 0] & (third[:, 0] | third[:, 2])) | (second[:, 2] & third[:, 0]))
    start = first[:, 0] & second[:, 3] & third[:, 2]
    stretch, open_frame = _measure(_by_frame(stop), _by_frame(start))
    channels = [part.transpose(1, 2).reshape(len(x), -1) for part in (stretch, open_frame)]
    shifted = [functional.pad(part, (phase, 0))[:, :length] for phase in range(3) for part in channels]
    return torch.stack(shifted, dim=1).to(x.dtype)


def _by_frame(codons: Tensor) -> Tensor:
    """Return ``(N, L)`` as ``(N, 3, L / 3)``: the codons of each frame in a row."""
    return codons.reshape(len(codons), -1, 3).transpose(1, 2)


def _measure(stop: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return of each codon the length of the stretch without stop, and of the open frame, as shares of the longest.

    Args:
        stop, start: ``(N, 3, codons)``, whether a codon is one.
    """
    count, cap = stop.shape[2], CAP // 3
    place = torch.arange(count, device=stop.device).expand(stop.shape)
    far = count + cap
    before = functional.pad(_largest_so_far(torch.where(stop, place, -far))[..., :-1], (1, 0), value=-far)
    after = _least_from_here(torch.where(stop, place, far))
    before, after = before.maximum(place - cap), after.minimum(place + cap)
    next_start = functional.pad(_least_from_here(torch.where(start, place, far)), (0, 1), value=far)
    begin = next_start.gather(2, (before + 1).clamp(0, count))
    longest = math.log(2 * cap)
    stretch = (after - before).clamp_min(1).log() / longest
    inside = begin <= place
    return stretch, torch.where(inside, (after - begin + 1).clamp_min(1).log() / longest, 0.0)


def _least_from_here(places: Tensor) -> Tensor:
    """Return of each codon the least of its own place and of those behind it, ``(N, 3, codons)``."""
    return -_largest_so_far(-places.flip(2)).flip(2)


def _largest_so_far(places: Tensor) -> Tensor:
    """Return of each codon the largest of its own place and of those before it, ``(N, 3, codons)``.

    ONNX has no running maximum. While a network is exported it is that of the last 512 codons alone, in nine steps that
    each double them; what lies farther back than ``CAP`` bases counts as at that distance anyhow.
    """
    if not is_exporting():
        return places.cummax(dim=2).values
    for step in (1 << power for power in range(9)):
        places = places.maximum(functional.pad(places, (step, 0), value=-(1 << 40))[..., : places.shape[2]])
    return places
