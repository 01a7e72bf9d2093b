"""Descriptions of domains, cheap to import, so that listing them and ``--help`` stay fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from multiunet.domains.config import EvaluateOptions, Options, PredictOptions, TrainConfig, option
from multiunet.domains.question_options import QuestionOptions
from multiunet.domains.sample_options import SampleOptions
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.wording import did_you_mean

if TYPE_CHECKING:
    from multiunet.domains.domain import Domain

GROUP = "multiunet.domains"
BUILTIN = {
    "image": "multiunet.domains.image",
    "genome": "multiunet.domains.genome",
    "graph": "multiunet.domains.graph.nodes",
    "graphs": "multiunet.domains.graph.sets",
}
"""Module of each built-in domain, whose ``SPEC`` describes it; others are found by the entry-point group."""


@dataclass(frozen=True)
class DomainSpec:
    """Name and settings of a domain, and the place of its implementation, ``module:Class``.

    Attributes:
        sample: settings of ``multiunet sample``, where the domain has generators.
        measure: settings of ``multiunet measure``, where the domain measures predictions.
        measured: the kinds of tasks whose predictions it measures, with nothing but the prediction given.
        groups: what is exchangeable, whose errors a calibration learns from, in the plural: "images", say.
        questions: settings of the questions that can be put to its runs, by command: ``variants``, say.
        checks: whether ``multiunet check`` looks at its data.
        plans: whether its dataset info has a ``plan``, which ``multiunet plan`` shows.
    """

    name: str
    summary: str
    train: type[TrainConfig]
    predict: type[PredictOptions]
    implementation: str
    evaluate: type[EvaluateOptions] = EvaluateOptions
    sample: type[SampleOptions] | None = None
    measure: type[Options] | None = None
    measured: tuple[str, ...] = ("segmentation",)
    plans: bool = False
    checks: bool = False
    groups: str = "groups"
    questions: Mapping[str, type[QuestionOptions]] = field(default_factory=dict)

    @property
    def calibrate(self) -> type[EvaluateOptions]:
        """Settings of ``multiunet calibrate``: those of an evaluation, on the validation split by default."""
        return _calibrate_settings(self.evaluate)

    def load(self) -> Domain[Any, Any, Any]:
        """Import and return the implementation, and torch with it."""
        module, _, name = self.implementation.partition(":")
        domain: Domain[Any, Any, Any] = getattr(import_module(module), name)()
        return domain


@cache
def _calibrate_settings(evaluate: type[EvaluateOptions]) -> type[EvaluateOptions]:
    split = option("val", "which split to calibrate on", "Data")
    return create_model(evaluate.__name__.replace("Evaluate", "Calibrate"), __base__=evaluate, split=(Split, split))


@dataclass(frozen=True)
class Unavailable:
    """Domain that is installed but cannot be used."""

    name: str
    reason: str


def domains() -> dict[str, DomainSpec | Unavailable]:
    """Return all installed domains by name, the built-in ones first."""
    found: dict[str, DomainSpec | Unavailable] = {
        name: _checked(import_module(module).SPEC) for name, module in BUILTIN.items()
    }
    for entry in _installed(entry_points):
        if entry.name in BUILTIN:
            continue
        try:
            found[entry.name] = _checked(entry.load())
        except Exception as error:  # a third party's code may fail in any way; it must not take the others down
            found[entry.name] = Unavailable(entry.name, f"{type(error).__name__}: {error}")
    return found


@cache
def _installed(find: Callable[..., Iterable[EntryPoint]]) -> list[EntryPoint]:
    """Return what other packages offer, by name; looked up once, since that reads a file of each installed package."""
    return sorted(find(group=GROUP), key=lambda entry: entry.name)


def _checked(spec: object) -> DomainSpec:
    if not isinstance(spec, DomainSpec):
        raise TypeError(f"its entry point names a {type(spec).__name__}, not a DomainSpec")
    return spec


def domain_spec(name: str) -> DomainSpec:
    """Return the spec of one domain.

    Raises:
        InputError: where there is none of this name, or it cannot be used.
    """
    known = domains()
    spec = known.get(name)
    if spec is None:
        raise InputError(f"no domain {name!r}{did_you_mean(name, list(known))}; installed: {', '.join(known)}")
    if isinstance(spec, Unavailable):
        raise InputError(f"domain {name!r} is installed but cannot be used: {spec.reason}")
    return spec
