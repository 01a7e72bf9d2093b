"""Prediction, evaluation and measurement with trained runs, one way for all domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multiunet.device import pick_device
from multiunet.domains.calibration import with_calibration
from multiunet.domains.config import EvaluateOptions, Options, PredictOptions, absolute, checked, panel_of
from multiunet.domains.evaluation import Trained
from multiunet.domains.evaluation import evaluate as evaluate_models
from multiunet.domains.generators import Generators
from multiunet.domains.predicting import describe_prediction, prepare, settle_samples
from multiunet.domains.remarks import gather_remarks, remark
from multiunet.domains.result import Report
from multiunet.domains.runs import (
    Run,
    all_runs,
    check_predicts,
    check_same_split,
    check_shared,
    folds_in,
    join_runs,
    open_runs,
    spec_of,
    take_average,
)
from multiunet.domains.sample_options import GeneratorEvaluate
from multiunet.domains.spec import DomainSpec, domain_spec, domains
from multiunet.domains.tiled_options import PredictTiles
from multiunet.domains.workers import predict_with_workers
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.prediction.tile_memory import compute_spare_memory
from multiunet.progress import ConsoleProgress, Progress
from multiunet.training.run_folder import RunFolder
from multiunet.wording import counted


def predict(
    path: AnyPath | Sequence[AnyPath],
    options: PredictOptions | Mapping[str, Any],
    out: AnyPath,
    name: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Predict with a trained run into a Zarr store; return the files exported beside it, if any.

    With ``part`` of the settings several processes share one prediction out; the last of them completes and exports it.

    Args:
        path: of the run; several, or the folds of a cross-validation, are an ensemble.
        options: the domain's settings, or a mapping of those that are given.
        out: the Zarr folder, NAME.zarr.
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a bad run, bad input, or an ``out`` that exists.
    """
    prepared = prepare(path, options, out, name)
    run, chosen = prepared.run, prepared.options
    with ConsoleProgress() if progress is None else progress as shown:
        if isinstance(chosen, PredictTiles) and chosen.dask is not None:
            run.domain.inputs(run.config, run.info, chosen)
            return predict_with_workers(as_paths(path), chosen, Path(out), run.spec.name, shown)
        whole = prepared.make(shown)
    return prepared.export() if whole else []


def check_predict(
    path: AnyPath | Sequence[AnyPath],
    options: PredictOptions | Mapping[str, Any],
    out: AnyPath,
    name: str | None = None,
) -> tuple[Run, list[str]]:
    """Read and check all that ``predict`` would; return the run and its inputs' names; write nothing.

    Raises:
        InputError: for a bad run, bad input, too little memory, or an ``out`` or export that cannot be written.
    """
    prepared = prepare(path, options, out, name)
    run, chosen = prepared.run, prepared.options
    inputs = run.domain.inputs(run.config, run.info, chosen)
    if (memory := getattr(chosen, "memory", None)) is not None:  # of those that predict tile by tile
        compute_spare_memory(memory, pick_device(chosen.device))
    return run, inputs


def evaluate(
    path: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | Mapping[str, Any] | None = None,
    name: str | None = None,
    ood: AnyPath | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a trained run beside trivial baselines, on a split or on other data.

    Args:
        path: of the run; several, trained on one split, are an ensemble. The folds of a cross-validation are scored
            each on its own split, and pooled; on other data they are an ensemble.
        options: the domain's settings, or a mapping of those that are given; by default the test split.
        ood: other data, as ``predict`` takes them: how well does uncertainty tell them from the scored ones?
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a bad run, a split that has no data, or runs of different splits.
    """
    report = score(path, options, name, ood, progress)
    for note in report.notes:
        remark(f"{note}; score other data, or pass `raw`")
    return report


def score(
    path: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | Mapping[str, Any] | None = None,
    name: str | None = None,
    ood: AnyPath | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a trained run as ``evaluate`` does; what its scores do not say is in the report's ``notes``.

    Raises:
        InputError: see ``evaluate``.
    """
    paths = as_paths(path)
    folders = [RunFolder.open(run) for run in all_runs(path)]
    spec = spec_of(folders[0], name)
    options = absolute(checked(spec.evaluate, options or {}))
    runs = open_runs(folders, spec.name, options.device, options.checkpoints)
    if runs[0].task.kind == "generation" and runs[0].domain.generators is not None:
        return _score_generator(runs, runs[0].domain.generators, options, ood, progress)
    check_predicts(runs)
    _check_settings(options)
    seen = {str(run.folder.path): run.info for run in runs} if options.elsewhere() else {}
    if len(paths) == 1 and folds_in(paths[0]) and not seen:
        return _evaluate_folds(paths[0], runs, options, ood, progress)
    run = join_runs(runs)
    if not seen:
        check_same_split(runs)
    options = settle_samples(options, run)
    named = ", ".join(map(str, paths))
    run, fit = with_calibration(run, [*paths, *(folder.path for folder in folders)], options, named)
    model = replace(run.model, net=fuse_layers(run.model.net))  # as predict has it
    trained = Trained(str(run.folder.path), model, run.config, run.info)
    other, words = _name_other(spec, options, ood), describe_prediction(options, run)
    with ConsoleProgress() if progress is None else progress as shown:
        report = evaluate_models(run.domain, [trained], options, seen, words, other, shown)
    if fit is not None and fit.source == report.scored:
        note = f"{report.scored}: also calibrated the run, so its calibration error and coverage say little of new data"
        report = replace(report, notes=[note])
    return report


def _score_generator(
    runs: Sequence[Run],
    generators: Generators[Any, Any],
    options: EvaluateOptions,
    ood: AnyPath | None,
    progress: Progress | None,
) -> Report:
    """Score a run that makes new samples, on a split of its own."""
    run = runs[0]
    if len(runs) > 1:
        raise InputError(f"{run.folder.path}: makes new samples, and generators are scored one by one; name one run")
    if options.elsewhere() or ood is not None:
        raise InputError(
            f"{run.folder.path}: makes new samples, and is scored on a split of its own; leave other data out"
        )
    average = options.average if isinstance(options, GeneratorEvaluate) else None
    take_average(run, average)
    with ConsoleProgress() if progress is None else progress as shown:
        report = generators.score(run.model, run.config, run.info, options, shown)
    return report if average is None else replace(report, prediction=f"{report.prediction}, average {average:g}")


def _check_settings(options: EvaluateOptions) -> None:
    """Check that a run that predicts is not given settings of generators."""
    names = options.generators if isinstance(options, GeneratorEvaluate) else ()
    if given := [f"`{name}`" for name in names if name in options.model_fields_set]:
        raise InputError(f"{', '.join(given)}: for runs of `task=generate`, and this one predicts; leave it out")


def _name_other(spec: DomainSpec, options: EvaluateOptions, data: AnyPath | None) -> PredictOptions | None:
    """Return the settings of a prediction of other data, in the way of an evaluation; None without such data."""
    if data is None:
        return None
    kind, ways = spec.predict, type(options).model_fields.items()
    if kind.data is None:
        raise InputError(f"domain {spec.name!r} cannot predict other data than its own; leave `ood` out")
    same = {name for name, field in ways if panel_of(field) != "Data" and name in kind.model_fields}
    return absolute(checked(kind, options.model_dump(include=same, exclude_unset=True) | {kind.data: Path(data)}))


def _evaluate_folds(
    folder: Path, runs: Sequence[Run], options: EvaluateOptions, ood: AnyPath | None, progress: Progress | None
) -> Report:
    """Score each fold on its own split, and all together."""
    for fold in runs[1:]:
        check_shared(runs[0], fold, ["classes", "quantities", "label values"])
    options = settle_samples(options, runs[0])
    with gather_remarks():
        runs = [with_calibration(run, [folder, run.folder.path], options)[0] for run in runs]
    folds = [
        Trained(run.folder.path.name, replace(run.model, net=fuse_layers(run.model.net)), run.config, run.info)
        for run in runs
    ]
    other, words = _name_other(runs[0].spec, options, ood), describe_prediction(options, runs[0])
    with ConsoleProgress() if progress is None else progress as shown:
        report = evaluate_models(runs[0].domain, folds, options, {}, words, other, shown)
    planned = getattr(runs[0].config, "folds", None) or len(runs)
    of = "" if planned == len(runs) else f"{len(runs)} of "
    return replace(report, scored=f"{report.scored}, {of}{counted(planned, 'fold')} pooled")


def measure(name: str, options: Options | Mapping[str, Any], out: AnyPath | None = None) -> Mapping[str, Any]:
    """Measure a stored prediction; write tables and figures into ``out``, if any. Return plain JSON.

    Args:
        name: of the domain, ``image`` for example.
        options: the domain's settings, or a mapping of those that are given.

    Raises:
        InputError: for a domain that measures nothing, or what it cannot measure or write.
    """
    spec = domain_spec(name)
    if spec.measure is None:
        able = [known.name for known in domains().values() if isinstance(known, DomainSpec) and known.measure]
        raise InputError(f"domain {name!r} has no measurements; those of {', '.join(able)} have")
    return spec.load().measure(checked(spec.measure, options), None if out is None else Path(out))
