"""Weights of one network in another: layers by name and shape, inputs and outputs by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

HEADS = ("head", "deep_heads")
"""Modules whose channels are the task's."""

FROM_THE_END = ("ups", "merges", "decoder", "deep_heads")
"""Lists of modules that begin at the bottom: with another number of levels, the last ones are alike."""

Pairs = Sequence[tuple[int, int]]
"""Channels here, and those there whose weights they get."""


@dataclass
class Taken:
    """Layers of a network that got the weights of another, and those that begin anew, by name."""

    layers: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    head: bool = False

    @property
    def share(self) -> str:
        """Return how many layers of all, in words."""
        return f"{len(self.layers)} of {len(self.layers) + len(self.fresh)} layers"


@torch.no_grad()
def take_weights(state: Mapping[str, Tensor], known: Mapping[str, Tensor], inputs: Inputs, outputs: Pairs) -> Taken:
    """Copy weights into those of a new network, in place, layer by layer where all shapes fit.

    Args:
        state: weights of the new network by name, which change.
        known: those of the other.
        inputs: what becomes of a layer that reads the inputs.
        outputs: channels of the head that keep their weights; without any, the head begins anew.
    """
    known, taken = _align_levels(state, known), Taken()
    for layer, names in _layers(state).items():
        tensors = [(state[name], known.get(name)) for name in names]
        if _is_head(layer):
            if outputs and all(there is not None and here.shape[1:] == there.shape[1:] for here, there in tensors):
                for here, there in tensors:
                    assert there is not None
                    here[[a for a, _ in outputs]] = there[[b for _, b in outputs]].to(here)
                taken.head = True
        elif all(there is not None and inputs.fits(here, there) for here, there in tensors):
            for here, there in tensors:
                assert there is not None
                inputs.copy(here, there)
            taken.layers.append(layer)
        else:
            taken.fresh.append(layer)
    return taken


@dataclass(frozen=True)
class Inputs:
    """Channels that two networks read.

    Attributes:
        here, there: numbers of channels.
        pairs: channels of the same name; None: names are unknown. Then as many channels are the same ones, and other
            numbers share the sum over those there evenly (as timm does with grey images).
    """

    here: int
    there: int
    pairs: Pairs | None = None

    def fits(self, here: Tensor, there: Tensor) -> bool:
        """Return whether weights of one shape can be taken for those of the other."""
        return here.shape == there.shape or self._reads(here, there)

    def copy(self, here: Tensor, there: Tensor) -> None:
        """Copy weights of a layer that ``fits``; those of inputs of new names stay as they are."""
        reads = here.dim() > 1 and here.shape[1] == self.here and there.shape[1] == self.there
        if here.shape == there.shape and not (reads and self.pairs is not None):
            here.copy_(there)
        elif self.pairs is None:
            here.copy_((there.mean(1, keepdim=True) * (self.there / self.here)).expand_as(here))
        else:
            for a, b in self.pairs:
                here[:, a] = there[:, b].to(here)

    def _reads(self, here: Tensor, there: Tensor) -> bool:
        if here.dim() < 2 or here.dim() != there.dim() or self.pairs == []:
            return False
        rest = (here.shape[0], *here.shape[2:]) == (there.shape[0], *there.shape[2:])
        return rest and (here.shape[1], there.shape[1]) == (self.here, self.there)


def _layers(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the tensors of each layer, by its name."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def _is_head(name: str) -> bool:
    return any(part in HEADS for part in name.split("."))


def _align_levels(state: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by the names that they have in a network of another number of levels."""
    ends, ends_there = _count(state), _count(known)
    found = {}
    for name, tensor in known.items():
        parts = name.split(".")
        for place, (part, number) in enumerate(pairwise(parts)):
            if part in ends and part in ends_there and number.isdigit():
                parts[place + 1] = str(int(number) + ends[part] - ends_there[part])
                break
        found[".".join(parts)] = tensor
    return found


def _count(names: Iterable[str]) -> dict[str, int]:
    """Return how many modules each list has that begins at the bottom."""
    found: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        for part, number in pairwise(parts):
            if part in FROM_THE_END and number.isdigit():
                found[part] = max(found.get(part, 0), int(number) + 1)
                break
    return found
