"""Train, predict, evaluate: the same ways through the house for every domain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from multiunet.device import pick_device
from multiunet.domains.card import DomainCard, domain_card, domains
from multiunet.domains.config import (
    AnyOptions,
    EvaluateOptions,
    Options,
    PredictOptions,
    TrainConfig,
    validated,
)
from multiunet.domains.domain import Domain, Facts, Model, Report
from multiunet.domains.exports import exported
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths, check_folder
from multiunet.geometries.fold import folded
from multiunet.prediction import ConsoleProgress, Ensemble, PredictionStore, Progress
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


@dataclass(frozen=True)
class Run:
    """A trained run, ready to predict.

    Attributes:
        best: ``epoch`` (the first is 1) and validation ``scores`` of the weights; empty if they are not the best ones,
            whose file is damaged or not yet written.
    """

    folder: RunFolder
    card: DomainCard
    domain: Domain[Any, Any]
    config: TrainConfig
    facts: Facts
    model: Model
    best: dict[str, Any]


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


def folds_in(path: Path) -> list[Path]:
    """The runs of a cross-validation in a folder that ``train_all`` made, in order; of any other folder, none."""
    found = [folder for folder in path.glob("fold-*") if (folder / "config.yaml").is_file()]
    return sorted(found, key=lambda folder: (len(folder.name), folder.name))


def open_run(path: AnyPath, name: str | None = None, device: str = "auto") -> Run:
    """A trained run with its best weights, in evaluation mode.

    Args:
        name: the domain it must be of; None: any.

    Raises:
        InputError: when it is no run folder, of another domain, or has no readable weights.
    """
    path = Path(path)
    card, folder = _card_of(path), RunFolder.open(path)
    settings, trained = folder.config(), card.name
    del settings["domain"]
    if name is not None and trained != name:
        raise InputError(
            f"{path}: a run of domain {trained!r}, not {name!r}; use `multiunet ... {trained} --run {path}`"
        )
    config = validated(card.train, settings, str(folder.path / "config.yaml"))
    facts = folder.facts()
    domain = card.load()
    try:
        model = domain.build(config, facts)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path / 'facts.json'}: does not describe a run of domain {trained!r} ({error!r}); the file is damaged"
        ) from error
    weights, best, warning = folder.weights()
    if warning:
        ConsoleReporter(domain.monitor).note(f"warning: {warning}")
    try:
        model.net.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: the weights do not fit config.yaml, was it edited? ({error})") from error
    model.task.calibrate(best.get("scores", {}))
    model.net.to(pick_device(device)).eval()
    return Run(folder, card, domain, config, facts, model, best)


def open_ensemble(paths: Sequence[Path], name: str | None = None, device: str = "auto") -> Run:
    """Several trained runs as one whose network is an ``Ensemble``, its config and facts those of the first.

    Raises:
        InputError: for a bad run, or runs that read or name things differently.
    """
    twice = next((path for path in paths if [other.resolve() for other in paths].count(path.resolve()) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: named twice; an ensemble is of different runs")
    first, *others = [open_run(path, name, device) for path in paths]
    if not others:
        return first
    for other in others:
        _check_shared(first, other, first.domain.shared_facts)
    models = [first.model, *(other.model for other in others)]
    ensemble = Ensemble([model.net for model in models], [model.task for model in models])
    return replace(first, model=replace(first.model, net=ensemble.eval()))


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
    chosen = _settings(_card_of(paths[0]).predict, options)
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
    chosen = absolute(_settings(_card_of(first).evaluate, options or {}))
    if chosen.elsewhere():
        run = open_ensemble([run for folder in paths for run in folds_in(folder) or [folder]], name, chosen.device)
        return run.domain.evaluate(run.model, run.config, run.facts, _sampling(chosen, run))
    if len(paths) == 1 and (folds := folds_in(paths[0])):
        runs = [open_run(folder, name, chosen.device) for folder in folds]
        for fold in runs[1:]:
            _check_shared(runs[0], fold, ("values", "targets"))
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


def fingerprint(net: nn.Module) -> str:
    """A short name of exactly these weights."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _settings(kind: type[AnyOptions], given: AnyOptions | Mapping[str, Any]) -> AnyOptions:
    """Checked settings.

    Raises:
        InputError: naming what is unknown, wrong or missing.
    """
    return given if isinstance(given, Options) else validated(kind, dict(given), "settings")


def _card_of(path: Path) -> DomainCard:
    """Of the domain that a run was trained in.

    Raises:
        InputError: when it is no run folder, or the domain is not installed.
    """
    trained = str(RunFolder.open(path).config().get("domain", ""))
    if trained not in domains():
        raise InputError(
            f"{path / 'config.yaml'}: its domain is {trained!r}, which is not installed here; there are "
            f"{', '.join(domains())}"
        )
    return domain_card(trained)


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


def _check_shared(first: Run, other: Run, facts: Sequence[str]) -> None:
    for fact in facts:
        if first.facts.get(fact) != other.facts.get(fact):
            raise InputError(
                f"{other.folder.path}: cannot join {first.folder.path}, because their {fact} differ "
                f"({first.facts.get(fact)} there, {other.facts.get(fact)} here)"
            )


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
