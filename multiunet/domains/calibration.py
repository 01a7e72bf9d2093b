"""Calibration of trained runs on held-out data, and its use in prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multiunet.domains.calibration_file import FILE, Fit, read_fits, store_calibration, write_fits
from multiunet.domains.collected import Collected, collect
from multiunet.domains.config import EvaluateOptions, PredictOptions, absolute, checked
from multiunet.domains.domain import Domain
from multiunet.domains.evaluation import check_unseen
from multiunet.domains.labelled import Labelled
from multiunet.domains.remarks import no_remarks, remark, remark_file
from multiunet.domains.runs import (
    Run,
    all_runs,
    check_predicts,
    check_same_split,
    folds_in,
    hash_weights,
    join_runs,
    open_runs,
    spec_of,
)
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.prediction.ensemble import members
from multiunet.tasks import Task
from multiunet.training.run_folder import RunFolder
from multiunet.uncertainty import Calibration, ClassCalibration, Moments, dropouts
from multiunet.uncertainty.conformal import SetMethod, pick_true
from multiunet.uncertainty.fitting import TEMPERATURES, add_sets
from multiunet.uncertainty.held_out import HeldOut
from multiunet.wording import counted, listing

WAYS = ("samples", "checkpoints", "tta_flips", "views_as_samples")
"""Settings of predictions that have calibrations of their own."""

REMEDY = "leave them out, or calibrate on the run's own validation split"
"""What to do about other data that a run has seen."""

MOST_CAUTIOUS = 0.99 * TEMPERATURES[1]
"""Temperature above which the range ended the search for it."""


def calibrate(
    path: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | Mapping[str, Any] | None = None,
    name: str | None = None,
    domain: Domain[Any, Any, Any] | None = None,
) -> list[Fit]:
    """Calibrate a trained run on its validation split or on other held-out data; return what was fitted.

    It is kept in ``calibration.json`` in the folder of the run, of an ensemble in that of the first. Folds are
    cross-validated: each predicts what it was validated on, and all of it together calibrates them.

    Args:
        path: of the run; several, trained on one split, are an ensemble.
        options: the domain's settings of an evaluation, or a mapping of those that are given; by default the validation
            split. Both the network alone and ``samples`` Monte-Carlo samples are calibrated.
        domain: what reads the data, and may have read them already; None: a new one.

    Raises:
        InputError: for a bad run, data that the run was trained on, or data without known targets.
    """
    paths = as_paths(path)
    folders = [RunFolder.open(run) for run in all_runs(path)]
    spec = spec_of(folders[0], name)
    chosen = absolute(checked(spec.calibrate, options or {}))
    runs = open_runs(folders, spec.name, chosen.device, chosen.checkpoints, domain)
    check_predicts(runs)
    if chosen.split == "train" and not chosen.elsewhere():
        raise InputError("the training split calibrates nothing: networks are surer there than elsewhere; choose val")
    if len(paths) == 1 and folds_in(paths[0]) and not chosen.elsewhere():
        return calibrate_folds(paths[0], runs, chosen)
    if not chosen.elsewhere():
        check_same_split(runs)
    run = join_runs(runs)
    found = fit_run(run, chosen, {str(one.folder.path): one.info for one in runs} if chosen.elsewhere() else {})
    write_fits(folders[0].path, found)
    return found


def fit_run(run: Run, options: EvaluateOptions, seen: Mapping[str, Any] | None = None) -> list[Fit]:
    """Fit calibrations of a run, or of an ensemble, of the network alone and of its samples.

    Args:
        seen: info of runs that may not have seen the data, by name; empty for their validation split.
    """
    samplings, found = _samplings(run, options), []
    data = run.domain.read(run.config, run.info, options)
    check_unseen(replace(data, remedy=REMEDY), seen or {}, "a network is surer of these than of new data")
    for samples in samplings:
        of_samples = options.model_copy(update={"samples": samples})
        held_out = collect(run, data, of_samples)
        _say_absent(run.task, held_out.sites, data.name)
        fit = _fit(run, held_out, samples, options, data.name)
        found.append(_add_sets(run, data, of_samples, fit) if held_out.set_methods else fit)
    return found


def _add_sets(run: Run, data: Labelled, options: EvaluateOptions, fit: Fit) -> Fit:
    """Add limits of those methods of sets that look beyond a site: of calibrated probabilities, so predicted anew."""
    calibration: Calibration = fit.calibration.load()
    model = replace(run.model, net=fuse_layers(run.net), calibration=calibration)
    scores: dict[SetMethod, dict[str, list[Tensor]]] = {}
    larger = run.info.groups()
    for piece in run.domain.predict_sites(model, run.config, run.info, data, options):
        for method, of_classes in piece.set_scores.items():
            true, by_group = pick_true(of_classes, piece.target), scores.setdefault(method, {})
            if piece.item is None:  # rows are groups each
                by_group |= {f"row {len(by_group) + place}": [one] for place, one in enumerate(true)}
            else:
                by_group.setdefault(larger.get(piece.item, piece.item), []).append(true)
    for method, by_group in scores.items():
        joined = [torch.cat([part.flatten() for part in own]) for own in by_group.values()]
        calibration = add_sets(calibration, method, joined)
    return fit.model_copy(update={"calibration": store_calibration(calibration)})


def calibrate_folds(folder: Path, folds: Sequence[Run], options: EvaluateOptions) -> list[Fit]:
    """Calibrate folds together, and each by itself; return the fits of all together.

    Each predicts what it was validated on. Its own predictions of its test split are calibrated by all folds together,
    without what that split holds.
    """
    together, found, cross_validated = join_runs(folds), [], []
    for samples in _samplings(folds[0], options):
        of_samples = options.model_copy(update={"samples": samples})
        data = [fold.domain.read(fold.config, fold.info, of_samples) for fold in folds]
        held_out = [collect(fold, one, of_samples) for fold, one in zip(folds, data)]
        pooled, source = Collected.join(held_out), f"{data[0].name} of {counted(len(folds), 'fold')}"
        _say_absent(folds[0].task, pooled.sites, source)
        found.append(_fit(together, pooled, samples, options, source))
        with no_remarks():  # what is wrong with a fold has been said of all together
            for fold, own, one in zip(folds, held_out, data):
                write_fits(fold.folder.path, [_fit(fold, own, samples, options, one.name)])
                tested = [str(getattr(item, "name", item)) for item in fold.info.split.test]
                rest = pooled.without(tested)
                cross_validated.append(_fit(fold, rest, samples, options, f"{source}, its test split left out"))
    write_fits(folder, [*cross_validated, *found])
    return found


def _samplings(run: Run, options: EvaluateOptions) -> list[int]:
    """Return the numbers of samples to calibrate for: one; and several, of networks with dropout.

    Raises:
        InputError: when several were asked for, of a network without.
    """
    if options.samples == 1:
        return [1]
    if all(dropouts(net) for net in members(run.net)):
        return [1, options.samples]
    if "samples" in options.model_fields_set:
        raise InputError(
            f"`samples={options.samples}`: {run.folder.path} was trained without dropout, so all samples would be the "
            "same; leave `samples` out, or give `samples=1`"
        )
    return [1]


def _say_absent(task: Task, sites: HeldOut, source: str) -> None:
    """Say which classes the data have nowhere: nothing in them says how sure predictions of these are."""
    if task.kind != "segmentation":
        return
    several = sites.target.ndim > 1  # independent labels
    counts = (sites.target > 0).sum(dim=0) if several else torch.bincount(sites.target, minlength=len(task.names))
    absent = [name for name, count in zip(task.names, counts.tolist()) if count == 0]
    if absent:
        them = "it" if len(absent) == 1 else "them"
        remark(
            f"{source}: no site of {'class' if len(absent) == 1 else 'classes'} {listing(absent)} is among the "
            f"{len(sites):,} that calibrate; the probability of {them} is corrected as that of the others is, and sets "
            "promise nothing of such sites"
        )


def _say_missed(task: Task, sites: HeldOut, calibration: Calibration, source: str) -> None:
    """Say which classes the data have and no prediction gives: a map of classes would not show them."""
    if task.kind != "segmentation" or sites.target.ndim > 1 or not len(sites):
        return
    stated = calibration.apply(Moments(sites.mean, torch.zeros_like(sites.variance), sites.variance)).mean
    decided = task.decide(stated, calibration)
    assert decided is not None  # it has classes
    true, found = (torch.bincount(part, minlength=len(task.names)).tolist() for part in (sites.target, decided))
    missed = [f"{name} ({count:,} sites)" for name, count, hits in zip(task.names, true, found) if count and not hits]
    if missed:
        remark(
            f"{source}: of the {len(sites):,} sites looked at, none is predicted as {listing(missed)}, which the data "
            "have: this network does not find it; train longer, or give more examples"
        )


def _fit(run: Run, held_out: Collected, samples: int, options: EvaluateOptions, source: str) -> Fit:
    larger = run.info.groups()
    sites = held_out.sites.regroup(larger)
    calibration = run.task.fit_calibration(sites)
    _say_missed(run.task, sites, calibration, source)
    if isinstance(calibration, ClassCalibration) and calibration.temperature > MOST_CAUTIOUS:
        remark(f"{source}: probabilities are no better than chance there, so calibrated ones are all nearly equal")
    return Fit(
        weights=hash_weights(run.net),
        members=len(members(run.net)),
        samples=samples,
        way=_way(run, options),
        source=source,
        groups=len(sites.groups),
        grouped=any(name in larger for name in held_out.sites.groups),
        sites=len(sites),
        calibration=store_calibration(calibration),
        sums={name: sums.as_dict() for name, sums in held_out.fit_sums(calibration, larger).items()},
    )


def _way(run: Run, options: PredictOptions | EvaluateOptions) -> str:
    return ", ".join(run.domain.ways(run.config, run.info, options))


def with_calibration(
    run: Run, places: Sequence[Path], options: PredictOptions | EvaluateOptions, named: str | None = None
) -> tuple[Run, Fit | None]:
    """Return the run with the calibration of its way of predicting, and the fit; without one, say so.

    Args:
        places: folders that may hold it: of folds, of the run, of each member of an ensemble.
        named: what predicts, for remarks; None: the folder of the run.

    Raises:
        InputError: where the calibration of a run is that of other weights.
    """
    if options.raw:
        return run, None
    weights, way, named = hash_weights(run.net), _way(run, options), named or str(run.folder.path)
    fits = [(place, fit) for place in dict.fromkeys(places) for fit in read_fits(place)]
    for place, fit in fits:
        if fit.fits(weights, options.samples, way):
            if (reason := fit.calibration.find_misfit(run.task)) is not None:
                raise InputError(f"{place / FILE}: is damaged ({reason}); calibrate the run anew")
            _say_samples(fit.samples, options.samples, named, run.spec.name)
            return replace(run, model=replace(run.model, calibration=fit.calibration.load())), fit
    known, alone = [fit for _, fit in fits], len(members(run.net)) == 1
    single = {fit.weights for fit in known if fit.members == 1}  # beside those of ensembles that the run is part of
    if alone and single and weights not in single:
        raise InputError(
            f"{run.folder.path / FILE}: is the calibration of other weights, of another run or another training; "
            "calibrate this run anew"
        )
    remark(
        f"{named}: {_missing(run, known, weights, way)}, so uncertainty is as the networks state it; "
        f"{_remedy(run, options)} mends that"
    )
    return run, None


def _say_samples(fitted: int, predicted: int, named: str, domain: str) -> None:
    if fitted != predicted:
        remark_file(
            named,
            f"calibrated with {fitted} Monte-Carlo samples; with {predicted}, as predicted now, "
            "probabilities, variances, intervals and sets are less well calibrated; "
            f"`multiunet calibrate {domain}` takes `samples={predicted}`, too",
        )


def _missing(run: Run, fits: Sequence[Fit], weights: str, way: str) -> str:
    if any(fit.weights == weights for fit in fits):
        return f"is not calibrated for predictions {way}" if way else "is not calibrated for this number of samples"
    return "is not calibrated" if len(members(run.net)) == 1 else "is not calibrated as an ensemble"


def _remedy(run: Run, options: PredictOptions | EvaluateOptions) -> str:
    """Name the command that calibrates this way of predicting."""
    given = {name: getattr(options, name) for name in WAYS if name in options.model_fields_set}
    settings = [
        f"`{name}`" if value is True else f"`{name}={'false' if value is False else value}`"
        for name, value in given.items()
        if value is not None
    ]
    *others, last = ["the same run" if len(members(run.net)) == 1 else "the same runs", *settings]
    return f"`multiunet calibrate {run.spec.name}` with {' and '.join([', '.join(others), last] if others else [last])}"
