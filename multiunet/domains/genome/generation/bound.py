"""Bound on the surprise of held-out bases, by masks that are always the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Geometry
from multiunet.diffusion import encode_masked
from multiunet.diffusion.denoiser import check_generator
from multiunet.seeds import generator, permutation


@dataclass
class Surprise:
    """Sum of the surprise of bases, each taken as the mean of the masked ones of its stretch.

    Attributes:
        nats: the sum.
        bases: their number.
    """

    nats: float = 0.0
    bases: int = 0

    def result(self) -> dict[str, float]:
        """Return ``loss`` in nats a base, ``bits_per_base`` and ``perplexity``."""
        loss = self.nats / max(1, self.bases)
        return {"loss": loss, "bits_per_base": loss / math.log(2), "perplexity": math.exp(loss)}


def bound_surprise(
    net: nn.Module,
    geometry: Geometry[Tensor],
    stretches: Tensor,
    turns: int = 1,
    batch_size: int = 16,
    seed: int = 0,
    watch: Callable[[int, int], None] | None = None,
) -> Surprise:
    """Bound the surprise of bases from above, as a network fills them in.

    With the share ``t`` of the bases masked, the bound is the mean over ``t`` of a masked base's mean surprise
    (Sahoo et al. 2024, eq. 10, with the linear schedule; the mean is over the masked bases, whose number is near ``t``
    times all). Shares are spread evenly over all draws.

    Args:
        stretches: ``(stretches, bases)`` of int64; -1 is unknown, and never scored.
        turns: draws of each stretch.
        seed: of the masks.
        watch: is called with the draws that are done, and all.

    Raises:
        ValueError: when the network has batch normalisation.
    """
    check_generator(net)
    found, count = Surprise(), len(stretches) * turns
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    ranks = permutation(count, "bound shares", seed)
    for first in range(0, count, batch_size):
        draws = range(first, min(first + batch_size, count))
        shown, asked = _mask(stretches, draws, (ranks[draws.start : draws.stop] + 0.5) / count, seed)
        field = torch.empty(len(shown), 0, shown.shape[1])
        with torch.no_grad():
            logits = geometry.features(net(encode_masked(geometry, field, shown, 4).to(device))).float().cpu()
        surprise = functional.cross_entropy(logits, asked, ignore_index=-1, reduction="none").double()
        masked, known = (asked >= 0).sum(dim=1), (stretches[[d % len(stretches) for d in draws]] >= 0).sum(dim=1)
        told = masked > 0  # where all masks missed the known bases, nothing is learnt
        mean = surprise.sum(dim=1) / masked.clamp(min=1)
        found.nats += float((mean * known)[told].sum())
        found.bases += int(known[told].sum())
        if watch is not None:
            watch(draws.stop, count)
    return found


def _mask(stretches: Tensor, draws: range, shares: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
    """Return what is shown of some draws, and what is asked: the masked known bases."""
    labels = stretches[[draw % len(stretches) for draw in draws]]
    rows = [generator("bound masks", seed, draw).random(labels.shape[1]) < share for draw, share in zip(draws, shares)]
    masked = torch.from_numpy(np.stack(rows))
    return torch.where(masked, -1, labels), torch.where(masked, labels, -1)


def choose_stretches(stretches: Mapping[str, Tensor], most: int) -> Tensor:
    """Return stretches of all chromosomes, ``(stretches, bases)``; at most so many, spread evenly."""
    rows = torch.cat(list(stretches.values()))
    if len(rows) <= most:
        return rows
    return rows[torch.arange(most) * len(rows) // most]
