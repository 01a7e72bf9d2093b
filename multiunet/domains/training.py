"""Training from files to runs, one way for all domains."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from multiunet.device import pick_device
from multiunet.domains.calibration import calibrate
from multiunet.domains.calibration_file import FILE
from multiunet.domains.config import TrainConfig, absolute, checked, validated
from multiunet.domains.curves_figure import draw_curves
from multiunet.domains.describe import count_parameters, summarise
from multiunet.domains.domain import Domain
from multiunet.domains.helping import (
    PROGRAM,
    check_shared,
    describe_job,
    help_train,
    settle_accumulate,
    wanted_by,
)
from multiunet.domains.info import to_json
from multiunet.domains.initial import begin_with
from multiunet.domains.model import DEFAULT_BUDGET, Budget, Model, Planned
from multiunet.domains.remarks import remark
from multiunet.domains.runs import all_runs, folds_in, read_info
from multiunet.domains.spec import domain_spec
from multiunet.domains.summary import summarise_training
from multiunet.domains.timing import describe_time
from multiunet.errors import Diverged, InputError, RunError
from multiunet.files import AnyPath, write_atomically
from multiunet.lock import lock_run
from multiunet.progress import ConsoleProgress, Progress
from multiunet.seeds import derive
from multiunet.training.loggers import LoggedRecords, check_loggers, open_loggers
from multiunet.training.processes.group import Group
from multiunet.training.processes.launching import open_group
from multiunet.training.processes.place import Wanted
from multiunet.training.run_folder import CURVES, DIVERGED, STOPPED, RunFolder

if TYPE_CHECKING:
    from multiunet.training.state import State

Resume = Literal["never", "auto"]

AnyConfig = TrainConfig | Mapping[str, Any]
"""A domain's settings, or a mapping of those that are given: ``{"images": "scans", "masks": "masks"}``."""


@dataclass(frozen=True)
class Plan:
    """Plan of a training.

    Attributes:
        info: what inspection learnt from the data.
        parameters: of the network.
        loaded: domain that has read the data.
    """

    domain: str
    config: TrainConfig
    info: Any
    parameters: int
    loaded: Domain[Any, Any, Any] = field(repr=False, compare=False)
    budget: Budget = DEFAULT_BUDGET

    def summarise(self) -> dict[str, str]:
        """Return what is planned, in a line each by what it is about; a step is tried to tell the time."""
        model = self.loaded.build(self.config, self.info)
        data = self.loaded.training_data(self.config, self.info, model, self.budget)
        steps = self.config.recipe().steps(len(data))
        return {
            **summarise(self.loaded, self.config, self.info, model),
            "training": summarise_training(self.config, steps),
            "time": self.describe_time(),
        }

    def describe_time(self) -> str:
        """Say how long the training will take on this machine, from a few steps that are tried."""
        model = self.loaded.build(self.config, self.info)
        return describe_time(self.loaded, model, self.config, self.info, self.budget)


def plan(name: str, config: AnyConfig, out: AnyPath | None = None, resume: Resume = "never") -> Plan:
    """Read and check all that ``train`` would, and build the network; write nothing.

    Raises:
        InputError: for data that cannot be trained on, or an ``out`` that cannot be written.
    """
    settings = checked(domain_spec(name).train, config)
    domain = domain_spec(name).load()
    planned, _ = _prepared(name, domain, settings, None if out is None else Path(out), resume)
    model = domain.build(planned.config, planned.info)
    _begin(name, domain, model, planned)  # says what does not fit
    parameters = count_parameters(model.net)
    return Plan(name, planned.config, planned.info, parameters, domain, planned.budget)


def check(name: str, config: AnyConfig) -> Mapping[str, Any]:
    """Look at all data of a training, without training; return facts and warnings, plain JSON.

    Args:
        name: of the domain; ``genome`` alone as yet.
        config: the domain's settings, or a mapping of those that are given.

    Raises:
        InputError: for a domain without such a look, or inputs that cannot be read at all.
    """
    spec = domain_spec(name)
    if not spec.checks:
        raise InputError(f"domain {name!r} has no check; a dry run of `multiunet train {name}` looks at all files")
    found: Mapping[str, Any] = spec.load().check(checked(spec.train, config))
    return found


def train(
    name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never", progress: Progress | None = None
) -> State | None:
    """Train a domain's model into a new run folder, or go on with one; then calibrate it.

    Where ``srun`` or ``torchrun`` has started several processes and the settings ask for them (``devices``, ``nodes``),
    the first does this and returns the state; the others help and return None.

    Args:
        name: of the domain, ``image`` for example.
        config: the domain's settings, or a mapping of those that are given.
        out: the run folder.
        resume: ``auto`` goes on from the newest readable checkpoint of ``out``, or begins if there is none.
        progress: shows progress; by default on stderr.

    Raises:
        InputError: for bad settings or data, or an ``out`` that holds something else.
    """
    settings = checked(domain_spec(name).train, config)
    with open_group(_wanted(settings, out, resume), PROGRAM) as group:
        if not group.leads:
            help_train(group)
            return None
        domain = domain_spec(name).load()  # one for all that follows, since it keeps what it has read
        state = _train(name, domain, settings, Path(out), resume, progress, group)
    _calibrate(name, domain, settings, Path(out))
    return state


def _train(
    name: str,
    domain: Domain[Any, Any, Any],
    config: TrainConfig,
    out: Path,
    resume: Resume,
    progress: Progress | None,
    group: Group,
) -> State:
    """Train one run, without its calibration; of a group, in its first process."""
    from multiunet.training.loop import fit  # Fabric takes seconds to import, and a plan does without

    planned, going_on = _prepared(name, domain, config, out, resume)
    if not going_on:
        planned = domain.tune(planned)
    settings, info = planned.config, planned.info
    torch.manual_seed(derive("weights", settings.seed))
    model = domain.build(settings, info)
    begun = "" if going_on else _begin(name, domain, model, planned)
    shown = ConsoleProgress() if progress is None else progress
    data = domain.training_data(settings, info, model, planned.budget)
    validate = domain.validator(settings, info, model, planned.budget)
    watch = domain.watcher(settings, info, model, out, planned.budget)
    with lock_run(out):
        run = RunFolder.open(out) if going_on else RunFolder.create(out, _stored(name, settings), to_json(info))
        checkpoint, warning = run.resumable() if going_on else (None, None)
        if warning:
            remark(warning)
        run.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
        run.begin()
        (out / FILE).unlink(missing_ok=True)  # of weights that are about to change
        if begun:
            shown.note(begun)
        with _saying_why(run, keeps=going_on):
            domain.prepare(model, settings, info, out, planned.budget, shown)
            done = 0 if checkpoint is None else checkpoint.state["progress"]["epoch"]
            records = LoggedRecords(run, open_loggers(settings.logger, out, _stored(name, settings), done))
            group.send_job(describe_job(name, planned))
            recipe = settings.recipe()
            state = fit(
                model.net,
                model.task,
                model.geometry,
                data,
                validate,
                monitor=model.task.monitor,
                run=records,
                recipe=recipe if group.device is None else replace(recipe, device=group.device),
                resume=checkpoint,
                progress=shown,
                opponent=model.opponent,
                watch=watch,
                group=group,
            )
        run.status("done")
        records.finish()
        _draw_curves(run, model.task.monitor)
    return state


@contextmanager
def _saying_why(run: RunFolder, *, keeps: bool) -> Iterator[None]:
    """Write into a run why its training ended early; remove a new one that has nothing to go on from.

    Args:
        keeps: the run in any case.
    """
    try:
        yield
    except BaseException as error:
        if keeps or run.started():
            with suppress(OSError):  # on a full disk, say; the error itself is what matters
                words = str(error) or type(error).__name__
                how = DIVERGED if isinstance(error, Diverged) else STOPPED
                run.status(words if words.startswith(STOPPED) else f"{how}: {words}")
        else:
            run.discard()
        raise


def _wanted(config: TrainConfig, out: AnyPath, resume: Resume) -> Wanted:
    """Return the devices that a training asks for, if it can be shared out to them, as far as the settings tell."""
    before = RunFolder.open(Path(out)).config() if _going_on(Path(out), resume) else None
    return wanted_by(settle_accumulate(config, before))


def _draw_curves(run: RunFolder, monitor: str | None) -> None:
    """Draw losses and scores by epoch into the run folder, if that can be written."""
    figure = draw_curves(run.history(), monitor, run.best_scores().get("epoch"))
    with suppress(OSError):
        write_atomically(run.path / CURVES, partial(figure.savefig, format="png", dpi=120))


def _begin(name: str, domain: Domain[Any, Any, Any], model: Model, planned: Planned[Any, Any]) -> str:
    """Give a new network the weights that the settings name; say so in words, nothing without any."""
    config, info = planned.config, planned.info
    if config.init_from is None:
        return domain.begin(model, config)
    held_out = [str(one) for part in ("val", "test") for one in info.split.of(part)]
    return begin_with(config.init_from, model, config, name, info).describe(held_out)


def _calibrate(name: str, domain: Domain[Any, Any, Any], settings: TrainConfig, out: Path) -> None:
    """Calibrate what has just been trained; where that cannot be done, say why: the weights are there."""
    if not settings.calibrate:
        return
    runs = [RunFolder.open(run) for run in all_runs(out)]
    if not all(run.dataset()["split"]["val"] for run in runs):
        return
    try:
        calibrate(out, {"device": settings.device}, name, domain)
        if settings.keep_last is not None:
            calibrate(out, {"device": settings.device, "checkpoints": "last"}, name, domain)
    except (InputError, RunError) as error:
        remark(f"{out}: not calibrated: {error}")


def train_all(
    name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never", progress: Progress | None = None
) -> list[Path]:
    """Train and calibrate one run, ``out``, or, of folds, ``out/fold-0`` and so on.

    Returns:
        The run folders; none in a process that only helps (see ``train``).

    Raises:
        InputError: see ``train``.
    """
    out = Path(out)
    settings = checked(domain_spec(name).train, config)
    parts = settings.parts()
    if len(parts) == 1:
        state = train(name, parts[0], out, resume, progress)
        return [] if state is None else [out]
    with open_group(_wanted(settings, out, resume), PROGRAM) as group:
        if not group.leads:
            help_train(group)
            return []
        _check_folds(out, resume)
        domain = domain_spec(name).load()
        for fold, part in enumerate(parts):  # what is wrong with the last is said before the first begins
            _prepared(name, domain, part, out / f"fold-{fold}", resume)
        shown = ConsoleProgress() if progress is None else progress
        for fold, part in enumerate(parts):
            shown.note(f"fold-{fold}, {fold + 1} of {len(parts)}")
            _train(name, domain, part, out / f"fold-{fold}", resume, progress, group)
    _calibrate(name, domain, settings, out)
    return folds_in(out)


def plan_all(name: str, config: AnyConfig, out: AnyPath, resume: Resume = "never") -> list[Plan]:
    """Plan what ``train_all`` would do, run by run; write nothing.

    Raises:
        InputError: see ``plan``; for folds also when ``out`` holds anything but such.
    """
    out = Path(out)
    parts = checked(domain_spec(name).train, config).parts()
    if len(parts) == 1:
        return [plan(name, parts[0], out, resume)]
    _check_folds(out, resume)
    return [plan(name, part, out / f"fold-{fold}", resume) for fold, part in enumerate(parts)]


def _check_folds(out: Path, resume: Resume) -> None:
    """Refuse an ``out`` that holds anything but folds."""
    if (out / "config.yaml").exists():
        raise InputError(f"{out}: holds a single run, and folds cannot go into it; choose another `out`")
    if resume == "never" or not any(out.glob("fold-*")):
        RunFolder.check_free(out)


def _prepared(
    name: str, domain: Domain[Any, Any, Any], config: TrainConfig, out: Path | None, resume: Resume
) -> tuple[Planned[Any, Any], bool]:
    """Read and check the data and decide the settings; and say whether ``out`` is a run that goes on."""
    if out is not None and not _going_on(out, resume):
        RunFolder.check_free(out)
    pick_device(config.device)
    check_loggers(config.logger)
    run = RunFolder.open(out) if out is not None and _going_on(out, resume) else None
    if run is not None:
        if (trained := run.config().get("domain")) != name:
            raise InputError(f"{out}: a run of domain {trained!r}, not {name!r}; choose another `out`")
        run.check_idle()
    config = settle_accumulate(absolute(config), None if run is None else run.config())
    before: Any = None if run is None else read_info(domain, run)
    planned = domain.plan(config, domain.inspect(config), before)
    check_shared(domain, planned.config, planned.info)
    if run is not None:
        _check_same(run, name, planned.config, to_json(planned.info), to_json(before))
    return planned, run is not None


def _going_on(out: Path, resume: Resume) -> bool:
    return resume == "auto" and (out / "config.yaml").is_file()


def _stored(name: str, config: TrainConfig) -> dict[str, Any]:
    """Return the settings as a later process will read them."""
    return {"domain": name, **json.loads(config.model_dump_json())}


def _check_same(
    run: RunFolder, name: str, config: TrainConfig, info: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    """Check that a run goes on as what it was; how it is computed may change."""
    free = {"workers", "device", "gradient_checkpointing", "calibrate", "sample_every", "logger"}
    free |= {"devices", "nodes", "silent_minutes"}
    stored = {key: value for key, value in run.config().items() if key != "domain"}
    # what an older run does not mention came later, and its default is what that run did
    then = validated(type(config), stored, str(run.path / "config.yaml"))
    before, settings = _stored(name, then), _stored(name, config)
    changed = [key for key in sorted(settings) if key not in free and before[key] != settings[key]]
    if changed:
        differences = ", ".join(f"{key}: {before[key]!r} then, {settings[key]!r} now" for key in changed)
        raise InputError(
            f"{run.path}: cannot resume with other settings ({differences}); use the same, or another `out`"
        )
    if differing := sorted(key for key in known.keys() | info.keys() if known.get(key) != info.get(key)):
        raise InputError(
            f"{run.path}: the data, or what follows from them, have changed since this run began "
            f"({', '.join(differing)}); use the same, or another `out`"
        )
