"""Train, predict, evaluate: the same ways through the house for every domain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from multiunet.device import pick_device
from multiunet.domains.card import domain_card
from multiunet.domains.config import (
    AnyOptions,
    EvaluateOptions,
    Options,
    PredictOptions,
    TrainConfig,
    validated,
)
from multiunet.domains.domain import Domain, Facts, Report
from multiunet.domains.exports import exported
from multiunet.domains.runs import Run, card_of, check_shared, fingerprint, folds_in, open_ensemble, open_run
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths, check_folder
from multiunet.geometries.fold import folded
from multiunet.prediction import ConsoleProgress, PredictionStore, Progress
from multiunet.prediction.ensemble import members
from multiunet.seeds import derive
from multiunet.training.lock import only_here
from multiunet.training.loop import State, fit
from multiunet.training.progress import ConsoleReporter, Reporter
from multiunet.training.run_folder import RunFolder
from multiunet.uncertainty import dropouts

Resume = Literal["never", "auto"]
Sampled = TypeVar("Sampled", PredictOptions, EvaluateOptions)

AnyConfig = TrainConfig | Mapping[str, Any]
"""A domain's settings, or a mapping of those that are given: ``{"images": "scans", "masks": "masks"}``."""


@dataclass(frozen=True)
class Plan:
    """What a training would do.

    Attributes:
        facts: what inspection learnt from the data.
        parameters: of the network.
    """

    domain: str
    config: TrainConfig
    facts: Facts
    parameters: int


def plan(name: str, config: AnyConfig, out: AnyPath | None = None, resume: Resume = "never") -> Plan:
    """Reads and checks all that ``train`` would, and builds the network; writes nothing.

    Raises:
        InputError: for data that cannot be trained on, or an ``out`` that cannot be written.
    """
    settings = _settings(domain_card(name).train, config)
    domain, chosen, facts, _ = _prepared(name, settings, None if out is None else Path(out), resume)
    return Plan(name, chosen, facts, count_parameters(domain.build(chosen, facts).net))


def train(
    name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never", reporter: Reporter | None = None
) -> State:
    """Trains a domain's model into a new run folder, or goes on with one.

    Args:
        name: of the domain, ``image`` for example.
        config: the domain's settings, or a mapping of those that are given.
        out: the run folder.
        resume: ``auto`` goes on from the newest readable checkpoint of ``out``, or begins if there is none.
        reporter: shows progress; by default on stderr.

    Raises:
        InputError: for bad settings or data, or an ``out`` that holds something else.
    """
    out = Path(out)
    domain, settings, facts, going_on = _prepared(name, _settings(domain_card(name).train, config), out, resume)
    torch.manual_seed(derive("weights", settings.seed))
    model = domain.build(settings, facts)
    shown = ConsoleReporter(domain.monitor) if reporter is None else reporter
    data = domain.training_data(settings, facts, model)
    validate = domain.validator(settings, facts, model)
    with only_here(out):
        run = RunFolder.open(out) if going_on else RunFolder.create(out, *_as_stored(name, settings, facts))
        checkpoint, warning = run.resumable() if going_on else (None, None)
        if warning:
            shown.note(f"warning: {warning}")
        run.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
        run.begin()
        try:
            state = fit(
                model.net,
                model.task,
                model.geometry,
                data,
                validate,
                monitor=domain.monitor,
                run=run,
                recipe=settings.recipe(),
                resume=checkpoint,
                reporter=shown,
            )
        except BaseException as error:
            if going_on or run.started():
                with suppress(OSError):  # on a full disk, say; the error itself is what matters
                    run.status(f"stopped: {error or type(error).__name__}")
            else:  # new, and nothing to go on from
                run.discard()
            raise
        run.status("done")
    return state


def train_all(
    name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never", reporter: Reporter | None = None
) -> list[Path]:
    """Trains all that the settings ask for: one run, ``out``, or one for each fold, ``out/fold-0`` and so on.

    Returns:
        The run folders.

    Raises:
        InputError: see ``train``.
    """
    out = Path(out)
    settings = _settings(domain_card(name).train, config)
    parts = settings.parts()
    if len(parts) == 1:
        train(name, parts[0], out, resume, reporter)
        return [out]
    plan_all(name, settings, out, resume)  # what is wrong with the last is said before the first begins
    shown = ConsoleReporter("") if reporter is None else reporter
    for fold, part in enumerate(parts):
        shown.note(f"fold-{fold}, {fold + 1} of {len(parts)}")
        train(name, part, out / f"fold-{fold}", resume, reporter)
    return folds_in(out)


def plan_all(name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never") -> list[Plan]:
    """What ``train_all`` would do, run by run; writes nothing.

    Raises:
        InputError: see ``plan``; for folds also when ``out`` holds anything but such.
    """
    out = Path(out)
    parts = _settings(domain_card(name).train, config).parts()
    if len(parts) == 1:
        return [plan(name, parts[0], out, resume)]
    if (out / "config.yaml").exists():
        raise InputError(f"{out}: holds a single run, and folds cannot go into it; choose another --out")
    if resume == "never" or not any(out.glob("fold-*")):
        RunFolder.check_free(out)
    return [plan(name, part, out / f"fold-{fold}", resume) for fold, part in enumerate(parts)]


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
        model = replace(run.model, net=folded(run.model.net))
        run.domain.predict(model, run.config, run.facts, chosen, store, shown)
    if (folder := chosen.export) is None:
        return []
    return exported(folder, lambda: run.domain.export(out, folder, run.facts, chosen))


def check_predict(
    path: AnyPath | Sequence[AnyPath],
    options: PredictOptions | Mapping[str, Any],
    out: AnyPath,
    name: str | None = None,
) -> tuple[Run, list[str]]:
    """Reads and checks all that ``predict`` would; writes nothing. The run, and the names of its inputs.

    Raises:
        InputError: for a bad run, bad input, or an ``out`` or export that cannot be written.
    """
    run, _, chosen = _ready(path, options, out, name)
    return run, run.domain.inputs(run.config, run.facts, chosen)


def _ready(
    path: AnyPath | Sequence[AnyPath], options: PredictOptions | Mapping[str, Any], out: AnyPath, name: str | None
) -> tuple[Run, PredictionStore, PredictOptions]:
    paths = [run for folder in as_paths(path) for run in folds_in(folder) or [folder]]
    chosen = _settings(card_of(paths[0]).predict, options)
    run = open_ensemble(paths, name, chosen.device)
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
        check_folder(chosen.export, chosen.overwrite, "--export")
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
    ConsoleReporter(run.domain.monitor).note("warning: trained without dropout, so one sample is taken, not several")
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
    first = (folds_in(paths[0]) or paths)[0]
    chosen = absolute(_settings(card_of(first).evaluate, options or {}))
    if chosen.elsewhere():
        run = open_ensemble([run for folder in paths for run in folds_in(folder) or [folder]], name, chosen.device)
        return run.domain.evaluate(run.model, run.config, run.facts, _sampling(chosen, run))
    if len(paths) == 1 and (folds := folds_in(paths[0])):
        runs = [open_run(folder, name, chosen.device) for folder in folds]
        for fold in runs[1:]:
            check_shared(runs[0], fold, ("values", "targets"))
        chosen = _sampling(chosen, runs[0])
        return runs[0].domain.evaluate_folds([(run.model, run.config, run.facts) for run in runs], chosen)
    run = open_ensemble(paths, name, chosen.device)
    for other in paths[1:]:
        facts = RunFolder.open(other).facts()
        if any(facts.get(key) != run.facts.get(key) for key in ("split", "data")):
            raise InputError(f"{other}: was trained on another split than {paths[0]}; it may have seen what is scored")
    return run.domain.evaluate(run.model, run.config, run.facts, _sampling(chosen, run))


def absolute(options: Any) -> Any:
    """The same settings with paths that hold from any folder."""
    paths = {
        name: value.absolute()
        for name in type(options).model_fields
        if isinstance(value := getattr(options, name), Path)
    }
    return options.model_copy(update=paths)


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def _settings(kind: type[AnyOptions], given: AnyOptions | Mapping[str, Any]) -> AnyOptions:
    """Checked settings.

    Raises:
        InputError: naming what is unknown, wrong or missing.
    """
    return given if isinstance(given, Options) else validated(kind, dict(given), "settings")


def _prepared(
    name: str, config: TrainConfig, out: Path | None, resume: Resume
) -> tuple[Domain[Any, Any], TrainConfig, Facts, bool]:
    """Data read and checked, settings decided; and whether ``out`` is a run that goes on."""
    if out is not None:
        _check_out(out, resume)
    pick_device(config.device)
    domain = domain_card(name).load()
    run = RunFolder.open(out) if out is not None and _going_on(out, resume) else None
    if run is not None:
        if (trained := run.config().get("domain")) != name:
            raise InputError(f"{out}: a run of domain {trained!r}, not {name!r}; choose another --out")
        run.check_idle()
    config = absolute(config)
    config, facts = domain.plan(config, domain.inspect(config), None if run is None else run.facts())
    _, facts = _as_stored(name, config, facts)
    if run is not None:
        _check_same(run, name, config, facts)
    return domain, config, facts, run is not None


def _check_out(out: Path, resume: Resume) -> None:
    if not _going_on(out, resume):
        RunFolder.check_free(out)


def _going_on(out: Path, resume: Resume) -> bool:
    return resume == "auto" and (out / "config.yaml").is_file()


def _as_stored(name: str, config: TrainConfig, facts: Facts) -> tuple[dict[str, Any], Facts]:
    """Settings and facts as a later process will read them."""
    return {"domain": name, **json.loads(config.model_dump_json())}, json.loads(json.dumps(facts))


def _check_same(run: RunFolder, name: str, config: TrainConfig, facts: Facts) -> None:
    """A run goes on only as what it was; how it is computed may change."""
    free = {"workers", "device", "recompute"}
    stored = {key: value for key, value in run.config().items() if key != "domain"}
    # what an older run does not mention came later, and its default is what that run did
    then = validated(type(config), stored, str(run.path / "config.yaml"))
    before, settings = _as_stored(name, then, {})[0], _as_stored(name, config, {})[0]
    changed = [key for key in sorted(settings) if key not in free and before[key] != settings[key]]
    if changed:
        differences = ", ".join(f"{key}: {before[key]!r} then, {settings[key]!r} now" for key in changed)
        raise InputError(
            f"{run.path}: cannot resume with other settings ({differences}); use the same, or another --out"
        )
    known = run.facts()
    if differing := sorted(key for key in known.keys() | facts.keys() if known.get(key) != facts.get(key)):
        raise InputError(
            f"{run.path}: the data, or what follows from them, have changed since this run began "
            f"({', '.join(differing)}); use the same, or another --out"
        )
