"""How a domain announces itself: cheap to import, so that listing and ``--help`` stay fast."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from multiunet.domains.config import EvaluateOptions, Options, PredictOptions, TrainConfig, did_you_mean
from multiunet.errors import InputError

if TYPE_CHECKING:
    from multiunet.domains.domain import Domain

GROUP = "multiunet.domains"
BUILTIN = ("image", "genome", "graph", "graphs")


@dataclass(frozen=True)
class DomainCard:
    """A domain's name, settings and, as ``module:Class``, where its implementation is.

    Attributes:
        measure: settings of ``multiunet measure``, where the domain measures predictions.
        measured: the kinds of tasks whose predictions it measures.
        plans: whether its facts have a ``plan`` and a ``fingerprint``, which ``multiunet plan`` shows.
    """

    name: str
    summary: str
    train: type[TrainConfig]
    predict: type[PredictOptions]
    implementation: str
    evaluate: type[EvaluateOptions] = EvaluateOptions
    measure: type[Options] | None = None
    measured: tuple[str, ...] = ("segmentation",)
    plans: bool = False

    def load(self) -> Domain[Any, Any, Any]:
        """The implementation; imports it, and torch with it."""
        module, _, name = self.implementation.partition(":")
        domain: Domain[Any, Any, Any] = getattr(import_module(module), name)()
        return domain


@dataclass(frozen=True)
class Unavailable:
    """A domain that is installed but cannot be used."""

    name: str
    reason: str


def domains() -> dict[str, DomainCard | Unavailable]:
    """All installed domains by name, the built-in ones first."""
    found: dict[str, DomainCard | Unavailable] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = _checked(entry.load())
        except Exception as error:  # a third party's code may fail in any way; it must not take the others down
            found[entry.name] = Unavailable(entry.name, f"{type(error).__name__}: {error}")
    order = {name: place for place, name in enumerate(BUILTIN)}
    return dict(sorted(found.items(), key=lambda entry: (order.get(entry[0], len(order)), entry[0])))


def _checked(card: object) -> DomainCard:
    if not isinstance(card, DomainCard):
        raise TypeError(f"its entry point names a {type(card).__name__}, not a DomainCard")
    return card


def domain_card(name: str) -> DomainCard:
    """The card of one domain.

    Raises:
        InputError: where there is none of this name, or it cannot be used.
    """
    known = domains()
    card = known.get(name)
    if card is None:
        raise InputError(f"no domain {name!r}{did_you_mean(name, list(known))}; installed: {', '.join(known)}")
    if isinstance(card, Unavailable):
        raise InputError(f"domain {name!r} is installed but cannot be used: {card.reason}")
    return card
