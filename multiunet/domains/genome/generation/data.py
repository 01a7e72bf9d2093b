"""Clean stretches of DNA, for a generator to learn from or to be scored on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.genome.bases import portable
from multiunet.domains.genome.sequence import UNKNOWN, Codes, cut, reverse_complement
from multiunet.training.data import Sample, TrainingData


class CleanBases(TrainingData[Tensor]):
    """Draw stretches of chromosomes, to be masked by ``MaskedData``.

    Item i is the i-th stretch of the chromosomes laid end to end; a draw begins at a random base of it, half the time
    as the reverse complement. The target are bases, ``(1, window)`` of int64, -1 where unknown: such a base is neither
    shown nor scored. The field has no channels.

    Stretches lie inside their chromosome where it is long enough; behind a shorter one there are unknown bases.

    Args:
        codes: bases by chromosome.
        window: bases of a stretch.
    """

    def __init__(self, codes: Mapping[str, Codes], window: int) -> None:
        self.codes, self.window = [portable(one) for one in codes.values()], window
        self.ends = np.cumsum([len(one) for one in self.codes])

    def __len__(self) -> int:
        return max(1, round(int(self.ends[-1]) / self.window))

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        place = (item + rng.random()) / len(self) * int(self.ends[-1])
        index = int(np.searchsorted(self.ends, place, side="right"))
        codes = self.codes[index]
        room = max(0, len(codes) - self.window)
        inside = place - (int(self.ends[index]) - len(codes))
        # spread over all that fits, so that the ends of a chromosome are drawn as often as the rest
        start = min(int(inside / len(codes) * (room + 1)), room)
        found = cut(codes, start, start + self.window)
        if rng.random() < 0.5:
            found = reverse_complement(found)
        target = as_classes(found)[None]
        return Sample(torch.empty(1, 0, self.window), target)


def as_classes(codes: Codes) -> Tensor:
    """Return bases ``(L,)`` as classes of int64, -1 where unknown."""
    return torch.from_numpy(np.where(codes < UNKNOWN, codes.astype(np.int64), -1))


def as_codes(classes: Tensor) -> Codes:
    """Return classes of bases, -1 where unknown, as codes."""
    found: Codes = torch.where(classes < 0, UNKNOWN, classes).to(torch.uint8).cpu().numpy()
    return found


def cut_windows(codes: Mapping[str, Codes], window: int) -> dict[str, Tensor]:
    """Return the stretches of each chromosome, in a row, as classes ``(stretches, window)``.

    What is behind the end of a chromosome counts as unknown. Stretches without a known base are left out.
    """
    found = {}
    for name, bases in codes.items():
        rows = as_classes(cut(bases, 0, -(-len(bases) // window) * window)).reshape(-1, window)
        found[name] = rows[(rows >= 0).any(dim=1)]
    return found
