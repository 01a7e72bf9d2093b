"""The sampler of masked diffusion: all sites masked at first, revealed in rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Geometry
from multiunet.diffusion.denoiser import check_generator, check_guidance
from multiunet.diffusion.guidance import leave_out
from multiunet.diffusion.masked import Masking, encode_masked
from multiunet.diffusion.site_noise import Noise

S = TypeVar("S")
Order = Literal["random", "confidence"]

Guess = Callable[[Tensor], Tensor]
"""Function from classes of sites, -1 where masked, to log-probabilities, with the classes on axis 1."""


class MaskedModel(Generic[S]):
    """Network of masked data (``MaskedData``) that gives log-probabilities of the masked classes.

    With guidance ``g`` they are ``log p0 + g (log p - log p0)``, normalised, where ``p0`` is given neither label nor
    caption (Ho & Salimans 2022).

    Args:
        net: ``(field, condition) -> field`` of logits, in evaluation mode.
        classes: how many there are.
        geometry: of its fields.
        null_class: in training some samples had no label and no caption, see ``Denoiser``.

    Raises:
        ValueError: when the network has batch normalisation.
    """

    def __init__(self, net: nn.Module, classes: int, geometry: Geometry[S], null_class: bool = False) -> None:
        check_generator(net)
        self.net, self.classes, self.geometry, self.null_class = net, classes, geometry, null_class

    def on(self, field: S, condition: Condition | None = None, guidance: float = 1.0) -> Guess:
        """Return the model on the sites of one field, whose channels are what is given; it may have none.

        Raises:
            ValueError: when guidance has nothing to guide towards, or the network knows no null class.
        """
        if guidance != 1:
            check_guidance(condition, guidance, self.null_class)

        @torch.no_grad()
        def guess(labels: Tensor) -> Tensor:
            logits = self._logits(field, labels, condition)
            if guidance != 1 and condition is not None:
                untold = self._logits(field, labels, leave_out(condition))
                logits = untold + guidance * (logits - untold)
            return logits.log_softmax(dim=1)

        return guess

    def _logits(self, field: S, labels: Tensor, condition: Condition | None) -> Tensor:
        shown = encode_masked(self.geometry, field, labels, self.classes)
        output = self.net(shown) if condition is None else self.net(shown, condition)
        return self.geometry.features(output).float().log_softmax(dim=1)


@dataclass(frozen=True)
class MaskedState:
    """State of a sample between two rounds: all that is needed to go on with the same bits.

    Attributes:
        labels: class of each site, ``(N, *space)`` or ``(nodes,)``; -1: masked.
        done: rounds that are done.
    """

    labels: Tensor
    done: int = 0


@dataclass(frozen=True)
class Unmasker(Generic[S]):
    """Sampler of classes, which are revealed in rounds.

    In random order each site has its turn by a number of its own, so that a round reveals a masked site with the
    probability that the process asks for (Sahoo et al. 2024, eq. 6), and tiles agree with the whole. By confidence, a
    round reveals in each sample the sites of whose class the network is surest (Kim et al. 2025, "Train for the worst,
    plan for the best", section 4.1). Which class they get is drawn afterwards: sites chosen by the class that was drawn
    (Chang et al. 2022, "MaskGIT") are sooner or later all of the likeliest one.

    Args:
        geometry: of the fields.
        rounds: evaluations of the network; as many as there are sites reveal about one at a time.
        masking: the process, which says how many sites a round reveals.
        order: which ones.
        temperature: of the drawn classes: 1 as the network says, below it likelier ones.

    Raises:
        ValueError: when a setting is not one of those known, or out of range.
    """

    geometry: Geometry[S]
    rounds: int
    masking: Masking = field(default_factory=Masking)
    order: Order = "random"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds {self.rounds} must be at least 1")
        if self.order not in get_args(Order):
            raise ValueError(f"order {self.order!r} is none of {', '.join(get_args(Order))}")
        if not self.temperature > 0:
            raise ValueError(f"temperature {self.temperature} must be positive")

    def advance(self, field: S, guess: Guess, uniform: Noise, state: MaskedState) -> MaskedState:
        """Return the state one round later.

        Args:
            field: the sites.
            guess: gives log-probabilities, such as ``MaskedModel.on(field, ...)``.
            uniform: gives numbers in (0, 1) on all sites, one channel, of a draw: ``SiteNoise.uniform_on(...)``. Draw 0
                is the order; round ``r`` uses draw ``r + 1``.
            state: of the sample.

        Raises:
            ValueError: when the sample is complete.
        """
        if state.done >= self.rounds:
            raise ValueError(f"all {self.rounds} rounds are done: `state.labels` is the sample")
        log_p, masked = guess(state.labels), state.labels < 0
        drawn = draw_classes(log_p / self.temperature, uniform(state.done + 1))
        after = self.masking.share(1 - (state.done + 1) / self.rounds)
        if state.done + 1 == self.rounds:
            shown = masked
        elif self.order == "random":
            shown = masked & (uniform(0)[:, 0] >= after)
        else:
            before = self.masking.share(1 - state.done / self.rounds)
            shown = self._surest(field, masked, log_p.amax(dim=1), uniform(0)[:, 0], after / before)
        return MaskedState(torch.where(shown, drawn, state.labels), state.done + 1)

    def run(
        self,
        field: S,
        guess: Guess,
        uniform: Noise,
        known: Tensor | None = None,
        watch: Callable[[MaskedState], None] | None = None,
    ) -> Tensor:
        """Return a sample: the class of each site, ``(N, *space)`` or ``(nodes,)``.

        Args:
            field, guess, uniform: see ``advance``.
            known: classes that sites keep, -1 where they are to be found; None: everywhere.
            watch: is called with the state after each round.
        """
        state = self.start(field, known)
        while state.done < self.rounds:
            state = self.advance(field, guess, uniform, state)
            if watch is not None:
                watch(state)
        return state.labels

    def start(self, field: S, known: Tensor | None = None) -> MaskedState:
        """Return the state before the first round; arguments as in ``run``."""
        features = self.geometry.features(field)
        sites = (features.shape[0], *features.shape[2:])
        return MaskedState(torch.full(sites, -1, device=features.device) if known is None else known)

    def _surest(self, field: S, masked: Tensor, sure: Tensor, order: Tensor, kept: float) -> Tensor:
        """Return which masked sites are revealed: in each sample the surest, all but a share that stays masked."""
        samples = torch.arange(self.geometry.batch_size(field), device=masked.device)
        owner = self.geometry.at_sites(field, samples[:, None])[:, 0].expand_as(masked)
        shown = torch.zeros_like(masked)
        for sample in samples:
            places = (masked & (owner == sample)).nonzero(as_tuple=True)
            count = len(places[0])
            mixed = order[places].argsort()  # of sites that are equally sure, some at random
            best = mixed[sure[places][mixed].argsort(descending=True, stable=True)][: count - int(kept * count)]
            shown[tuple(axis[best] for axis in places)] = True
        return shown


def draw_classes(log_p: Tensor, uniform: Tensor) -> Tensor:
    """Draw a class at each site, by the inverse of the cumulated probabilities.

    Args:
        log_p: logarithms of probabilities, up to a constant a site, classes on axis 1: ``(N, K, *space)``.
        uniform: in (0, 1), ``(N, 1, *space)``.

    Returns:
        ``(N, *space)`` of int64.
    """
    cumulated = log_p.to(uniform).softmax(dim=1).cumsum(dim=1)
    return (uniform > cumulated[:, :-1]).sum(dim=1)
