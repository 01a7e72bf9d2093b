"""A trained run at work: it predicts, and is scored; the same way through the house for every domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions, PredictOptions, absolute, checked
from multiunet.domains.domain import Domain, Report
from multiunet.domains.evaluation import Trained
from multiunet.domains.evaluation import evaluate as evaluate_models
from multiunet.domains.exports import exported
from multiunet.domains.runs import Run, all_runs, card_of, check_shared, fingerprint, folds_in, joined, open_runs
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths, check_folder
from multiunet.geometries.grid.fuse import fuse_conv_bn
from multiunet.prediction import PredictionStore
from multiunet.prediction.ensemble import members
from multiunet.prediction.tile_memory import compute_spare_memory
from multiunet.progress import ConsoleProgress, Progress
from multiunet.uncertainty import dropouts
from multiunet.wording import counted

Sampled = TypeVar("Sampled", PredictOptions, EvaluateOptions)


def predict(
    path: AnyPath | Sequence[AnyPath],
    options: PredictOptions | Mapping[str, Any],
    out: AnyPath,
    name: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Predicts with a trained run into a Zarr store; returns the files exported beside it, if any.

    Args:
        path: of the run; several, or the folds of a cross-validation, are an ensemble.
        options: the domain's settings, or a mapping of those that are given.
        out: the Zarr folder, NAME.zarr.
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a bad run, bad input, or an ``out`` that exists.
    """
    out = Path(out)
    run, store, chosen = _ready(path, options, out, name)
    with store, ConsoleProgress() if progress is None else progress as shown:
        model = replace(run.model, net=fuse_conv_bn(run.model.net))
        run.domain.predict(model, run.config, run.info, chosen, store, shown)
    if (folder := chosen.export) is None:
        return []
    return exported(folder, lambda: run.domain.export(out, folder, run.info, chosen))


def check_predict(
    path: AnyPath | Sequence[AnyPath],
    options: PredictOptions | Mapping[str, Any],
    out: AnyPath,
    name: str | None = None,
) -> tuple[Run, list[str]]:
    """Reads and checks all that ``predict`` would; writes nothing. The run, and the names of its inputs.

    Raises:
        InputError: for a bad run, bad input, too little memory, or an ``out`` or export that cannot be written.
    """
    run, _, chosen = _ready(path, options, out, name)
    inputs = run.domain.inputs(run.config, run.info, chosen)
    if (memory := getattr(chosen, "memory", None)) is not None:  # of those that predict tile by tile
        compute_spare_memory(memory, pick_device(chosen.device))
    return run, inputs


def _ready(
    path: AnyPath | Sequence[AnyPath], options: PredictOptions | Mapping[str, Any], out: AnyPath, name: str | None
) -> tuple[Run, PredictionStore, PredictOptions]:
    paths = all_runs(path)
    chosen = checked(card_of(paths[0], name).predict, options)
    run = joined(open_runs(paths, name, chosen.device))
    chosen = _sampling(absolute(chosen), run)
    attrs = {
        "domain": run.card.name,
        "task": run.model.task.kind,
        "run": ", ".join(map(str, paths)),
        "weights": fingerprint(run.model.net),
        "samples": chosen.samples,
        "seed": chosen.seed,
    }
    store = PredictionStore(out, attrs, chosen.overwrite)
    if chosen.export is not None:
        if Path(out).absolute() in (chosen.export, *chosen.export.parents):
            raise InputError(f"{chosen.export}: --export is in the prediction itself, {out}; choose a folder beside it")
        check_folder(chosen.export, chosen.overwrite)
    return run, store, chosen


def _sampling(options: Sampled, run: Run) -> Sampled:
    """The settings with as many samples as make sense: those of a network without dropout are all the same."""
    nets = members(run.model.net)
    without = sum(not dropouts(net) for net in nets)
    if options.samples in (None, 1) or not without:
        return options
    if without < len(nets):
        have = "has" if without == 1 else "have"
        raise InputError(
            f"--samples {options.samples}: {without} of the {len(nets)} runs {have} no dropout; pass --samples 1"
        )
    ConsoleProgress().note("warning: trained without dropout, so one sample is taken, not several")
    return options.model_copy(update={"samples": 1})


def evaluate(
    path: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Report:
    """Scores a trained run, and trivial baselines, on a split or on other data.

    Args:
        path: of the run; several, trained on one split, are an ensemble. The folds of a cross-validation are scored
            each on its own split, and pooled; on other data they are an ensemble.
        options: the domain's settings, or a mapping of those that are given; by default the test split.

    Raises:
        InputError: for a bad run, a split that has no data, or runs of different splits.
    """
    paths = as_paths(path)
    chosen = absolute(checked(card_of(all_runs(path)[0], name).evaluate, options or {}))
    if type(card_of(all_runs(path)[0], name).load()).read is not Domain.read:
        return _evaluate(path, chosen, name)
    if chosen.elsewhere():
        runs = open_runs(all_runs(path), name, chosen.device)
        run = joined(runs)
        seen = {str(one.folder.path): (one.config, one.info) for one in runs}
        return run.domain.evaluate_elsewhere(run.model, seen, _sampling(chosen, run))
    if len(paths) == 1 and (folds := folds_in(paths[0])):
        return _evaluate_folds(open_runs(folds, name, chosen.device), chosen)
    runs = open_runs(paths, name, chosen.device)
    run = joined(runs)
    for other in runs[1:]:
        if any(other.info.get(key) != run.info.get(key) for key in ("split", "data")):
            raise InputError(
                f"{other.folder.path}: was trained on another split than {run.folder.path}; it may have seen what is "
                "scored"
            )
    return run.domain.evaluate(run.model, run.config, run.info, _sampling(chosen, run))


def _evaluate(path: AnyPath | Sequence[AnyPath], options: EvaluateOptions, name: str | None) -> Report:
    paths = as_paths(path)
    folds = folds_in(paths[0]) if len(paths) == 1 and not options.elsewhere() else []
    runs = open_runs(folds or all_runs(path), name, options.device)
    domain = runs[0].domain
    if folds:
        for fold in runs[1:]:
            check_shared(runs[0], fold, ["classes", "quantities", "label values"])
        models = [Trained(run.folder.path.name, run.model, run.config, run.info) for run in runs]
    else:
        run = joined(runs)
        models = [Trained(str(run.folder.path), run.model, run.config, run.info)]
        if not options.elsewhere():
            _check_same_split(runs)
    chosen = _sampling(options, runs[0] if folds else run)
    seen = {str(run.folder.path): run.info for run in runs} if chosen.elsewhere() else {}
    report = evaluate_models(domain, models, chosen, seen, _in_words(chosen))
    if not folds:
        return report
    planned = getattr(runs[0].config, "folds", None) or len(runs)
    of = "" if planned == len(runs) else f"{len(runs)} of "
    return replace(report, scored=f"{report.scored}, {of}{counted(planned, 'fold')} pooled")


def _check_same_split(runs: Sequence[Run]) -> None:
    """Refuse an ensemble of runs of different splits: one may have trained on what another tests."""
    for other in runs[1:]:
        if (other.info.split, other.info.data) != (runs[0].info.split, runs[0].info.data):
            raise InputError(
                f"{other.folder.path}: was trained on another split than {runs[0].folder.path}; it may have seen what "
                "is scored"
            )


def _in_words(options: EvaluateOptions) -> str:
    """Which prediction is scored."""
    if options.samples == 1:
        return "one pass without dropout"
    return f"{options.samples} Monte-Carlo samples, seed {options.seed}"


def _evaluate_folds(runs: Sequence[Run], options: EvaluateOptions) -> Report:
    for fold in runs[1:]:
        check_shared(runs[0], fold, ("values", "classes", "targets"))
    chosen = _sampling(options, runs[0])
    report = runs[0].domain.evaluate_folds([(run.model, run.config, run.info) for run in runs], chosen)
    planned = getattr(runs[0].config, "folds", None) or len(runs)
    of = "" if planned == len(runs) else f"{len(runs)} of "
    return replace(report, scored=f"{report.scored}, {of}{counted(planned, 'fold')} pooled")
