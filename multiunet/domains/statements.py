"""Intervals and sets that a prediction is to state, with the limits that calibration learnt."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from multiunet.domains.config import PredictOptions
from multiunet.domains.domain import Model
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.uncertainty import LEVELS, ClassCalibration, QuantityCalibration
from multiunet.uncertainty.conformal import SetMethod
from multiunet.uncertainty.statements import ClassSet, Interval, LabelSet, Statement

GROUPS = "images, chromosomes, graphs or nodes"
"""Groups of sites that are exchangeable, in words."""


def make_statements(
    model: Model, options: PredictOptions, run: str, domain: str, samples: int | None = None
) -> tuple[Statement, ...]:
    """Return what the options ask a prediction to state beside its moments.

    Args:
        model: with the calibration that predictions are corrected by, if any.
        run: name of the run, for errors.
        domain: name of its domain.
        samples: Monte-Carlo samples that the calibration was fitted with; None: there is none.

    Raises:
        InputError: for an interval of classes, a set of quantities, sets without calibration, or a level or method that
            it has no limit of.
    """
    stated: list[Statement] = []
    if options.interval is not None:
        stated.append(_make_interval(model, options, options.interval, run, domain))
    if (level := getattr(options, "sets", None)) is not None:
        stated.append(_make_set(model, level, options.set_method, run, domain))  # type: ignore[attr-defined]
    if stated and samples not in (None, options.samples):
        remark(
            f"{run}: calibrated with {samples} Monte-Carlo samples; with {options.samples}, as predicted now, "
            f"intervals and sets hold the truth more or less often than they say; `multiunet calibrate {domain}` takes "
            f"`samples={options.samples}`, too"
        )
    return tuple(stated)


def _make_interval(model: Model, options: PredictOptions, level: float, run: str, domain: str) -> Interval:
    if model.task.kind != "regression":
        raise InputError(
            f"`interval={level:g}`: {run} predicts classes, which have no intervals; `sets={level:g}` gives the set of "
            "classes that each site may have"
        )
    calibration = model.calibration
    if isinstance(calibration, QuantityCalibration) and calibration.multipliers:
        place = _place(level, f"`interval={level:g}`: the calibration of {run}")
        _warn_of_estimate(calibration.guaranteed, place, run)
        return Interval(level, calibration.multipliers[place], model.task.lowest)
    normal = NormalDist().inv_cdf((1 + level) / 2)
    why = "its calibration says nothing of intervals"
    if calibration is None:
        why = "calibration is left out (`raw`)" if options.raw else "its predictions are not calibrated"
    remark(
        f"{run}: {why}, so the interval is that of a normal distribution, mean -+ {normal:.3g} standard deviations; "
        f"`multiunet calibrate {domain}` learns from several {GROUPS} how wide it must be"
    )
    return Interval(level, [normal] * len(model.task.names), model.task.lowest)


def _make_set(model: Model, level: float, method: SetMethod, run: str, domain: str) -> ClassSet | LabelSet:
    asked, calibration = f"`sets={level:g}`", model.calibration
    if model.task.kind != "segmentation":
        raise InputError(
            f"{asked}: {run} predicts quantities, not classes; `interval={level:g}` gives the interval of each"
        )
    if not isinstance(calibration, ClassCalibration):
        raise InputError(
            f"{asked}: sets need limits that calibration learns, and this prediction has none; leave `raw` out, or, "
            f"where the run is not calibrated, call `multiunet calibrate {domain}`"
        )
    if not calibration.limits:
        raise InputError(
            f"{asked}: the calibration of {run} has no limits of sets, which need two or more {GROUPS}: one does not "
            f"say how they differ; call `multiunet calibrate {domain}` with more data, or train with folds"
        )
    if method not in calibration.limits:
        known = ", ".join(calibration.limits)
        raise InputError(f"`set_method={method}`: the calibration of {run} has limits of {known}; choose one of these")
    place = _place(level, f"{asked}: the calibration of {run}")
    _warn_of_estimate(calibration.guaranteed, place, run)
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


def _warn_of_estimate(guaranteed: Sequence[bool], place: int, run: str) -> None:
    """Warn where there were too few groups for a guarantee of the level: K of them for at most K / (K + 1)."""
    if guaranteed[place]:
        return
    level = LEVELS[place]
    needed = round(1 / (1 - level)) - 1
    remark(
        f"{run}: calibrated on too few {GROUPS} to guarantee {level:g}, which takes {needed} or more; intervals and "
        "sets are estimates, and hold the truth somewhat less often"
    )
