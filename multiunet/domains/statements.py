"""Intervals and sets that a prediction is to state, with the limits that calibration learnt."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from multiunet.domains.config import PredictClasses, PredictOptions
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.domains.spec import DomainSpec
from multiunet.errors import InputError
from multiunet.uncertainty import LEVELS, ClassCalibration, QuantityCalibration
from multiunet.uncertainty.statements import ClassSet, Interval, LabelSet, Statement


def make_statements(model: Model, options: PredictOptions, run: str, spec: DomainSpec) -> tuple[Statement, ...]:
    """Return what the options ask a prediction to state beside its moments.

    Args:
        model: with the calibration that predictions are corrected by, if any.
        run: name of the run, for errors.
        spec: of its domain.

    Raises:
        InputError: for an interval of classes, a set of quantities, sets without calibration, or a level or method that
            it has no limit of.
    """
    stated: list[Statement] = []
    if options.interval is not None:
        stated.append(_make_interval(model, options, options.interval, run, spec))
    if isinstance(options, PredictClasses) and options.sets is not None:
        stated.append(_make_set(model, options.sets, options, run, spec))
    return tuple(stated)


def _make_interval(model: Model, options: PredictOptions, level: float, run: str, spec: DomainSpec) -> Interval:
    if model.task.kind != "regression":
        raise InputError(
            f"`interval={level:g}`: {run} predicts classes, which have no intervals; `sets={level:g}` gives the set of "
            "classes that each site may have"
        )
    calibration = model.calibration
    if isinstance(calibration, QuantityCalibration) and calibration.multipliers:
        place = _place(level, f"`interval={level:g}`: the calibration of {run}")
        _warn_of_estimate("interval", calibration.guaranteed, place, run, spec)
        return Interval(level, calibration.multipliers[place], model.task.lowest, model.task.highest)
    normal = NormalDist().inv_cdf((1 + level) / 2)
    why = f"was calibrated on fewer than two {spec.groups}, which do not say how much they differ"
    if calibration is None:
        why = "calibration is left out (`raw`)" if options.raw else "is not calibrated for such predictions"
    remark(
        f"{run}: {why}, so the interval is that of a normal distribution, mean -+ {normal:.3g} standard deviations; "
        f"`multiunet calibrate {spec.name}` learns from several {spec.groups} how wide it must be"
    )
    return Interval(level, [normal] * len(model.task.names), model.task.lowest, model.task.highest)


def _make_set(model: Model, level: float, options: PredictClasses, run: str, spec: DomainSpec) -> ClassSet | LabelSet:
    asked, calibration, method = f"`sets={level:g}`", model.calibration, options.set_method
    if model.task.kind != "segmentation":
        raise InputError(
            f"{asked}: {run} predicts quantities, not classes; `interval={level:g}` gives the interval of each"
        )
    if not isinstance(calibration, ClassCalibration):
        fix = f"call `multiunet calibrate {spec.name}` with the same runs and settings"
        fix = "leave `raw` out" if options.raw else fix
        raise InputError(f"{asked}: sets need limits that calibration learns, and this prediction has none; {fix}")
    if not calibration.limits:
        folds = ", or train with `folds`" if "folds" in spec.train.model_fields else ""
        raise InputError(
            f"{asked}: the calibration of {run} has no limits of sets, which need two or more {spec.groups}: one does "
            f"not say how they differ; call `multiunet calibrate {spec.name}` with more data{folds}"
        )
    if method not in calibration.limits:
        known = ", ".join(calibration.limits)
        raise InputError(f"`set_method={method}`: the calibration of {run} has limits of {known}; choose one of these")
    place = _place(level, f"{asked}: the calibration of {run}")
    _warn_of_estimate("set", calibration.guaranteed, place, run, spec)
    limits = calibration.limits[method][place]
    return LabelSet(level, limits) if calibration.labels == "multilabel" else ClassSet(level, method, limits[0])


def _place(level: float, what: str) -> int:
    """Return the place of a level among those that are calibrated.

    Raises:
        InputError: naming these, where it is not one of them.
    """
    found = next((place for place, known in enumerate(LEVELS) if abs(known - level) < 1e-9), None)
    if found is None:
        raise InputError(f"{what} knows the levels {', '.join(f'{known:g}' for known in LEVELS)}; choose one of these")
    return found


def _warn_of_estimate(what: str, guaranteed: Sequence[bool], place: int, run: str, spec: DomainSpec) -> None:
    """Warn where there were too few groups for a guarantee of the level: K of them for at most K / (K + 1)."""
    if guaranteed[place]:
        return
    level = LEVELS[place]
    needed = round(1 / (1 - level)) - 1
    remark(
        f"{run}: calibrated on too few {spec.groups} to guarantee {level:g}, which takes {needed} or more; each {what} "
        "is an estimate, and holds the truth somewhat less often"
    )
