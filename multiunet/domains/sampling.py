"""Sampling with trained generators, one way for all domains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multiunet.domains.config import absolute, checked
from multiunet.domains.exports import exported
from multiunet.domains.generators import Generators
from multiunet.domains.runs import Run, hash_weights, name_run, open_runs, precision_of, spec_of, take_average
from multiunet.domains.sample_options import SampleOptions
from multiunet.domains.spec import DomainSpec, domains
from multiunet.domains.unfinished import Unfinished, sweep_finished
from multiunet.errors import InputError
from multiunet.files import AnyPath, check_folder
from multiunet.lock import hold_lock
from multiunet.progress import ConsoleProgress, Progress
from multiunet.training.run_folder import RunFolder

APART = {"device", "export", "overwrite", "memory"}
"""Settings that samples do not depend on, or only by what is kept beside them."""


def sample(
    path: AnyPath,
    options: SampleOptions | Mapping[str, Any] | None = None,
    out: AnyPath = "samples.zarr",
    name: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Make new samples with a trained generator; return the store, then the files exported beside it.

    A process that was killed goes on where it was, when it is called again with the same settings, and makes the same
    bits.

    Args:
        path: of the run.
        options: the domain's settings, or a mapping of those that are given; without ``export`` nothing is exported.
        out: what is written: the Zarr folder NAME.zarr or, of DNA, the file NAME.fa or NAME.fa.gz.
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a run that predicts, a condition that it does not know, or an ``out`` that exists.
    """
    out = Path(out)
    lock = out.with_name(f".{out.name}.sampling")
    if out.exists():
        sweep_finished(out, lock)
    run, chosen = _ready(path, options or {}, name)
    attrs = _describe(run, chosen)
    generators = _generators(run)
    store = generators.open_samples(out, attrs, chosen.overwrite)
    _check_export(chosen, out)
    generators.names(run.config, run.info, chosen)  # errors come before anything is written
    kept = Unfinished(out, attrs | {"options": _settings(chosen)}, chosen.overwrite)
    busy = f"{out}: another process is writing it; wait for that, or choose another name"
    kept.path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(lock, busy):
        kept.prepare()
        with store, ConsoleProgress() if progress is None else progress as shown:
            if kept.goes_on:
                shown.note(f"{out}: going on with unfinished samples")
            try:
                generators.sample(run.model, run.config, run.info, chosen, store, kept, shown)
            except KeyboardInterrupt:
                shown.note(f"{out}: what is done is kept; the same command goes on from there")
                raise
        kept.remove()
    if (folder := chosen.export_folder()) is None:
        return [out]
    return [out, *exported(folder, lambda: generators.export(out, folder, run.config, run.info, chosen))]


def check_sample(
    path: AnyPath, options: SampleOptions | Mapping[str, Any], out: AnyPath, name: str | None = None
) -> tuple[Run, list[str], dict[str, str]]:
    """Read and check all that ``sample`` would; write nothing.

    Returns:
        The run, its conditions' names, and a forecast: what samples take, in a line each by what it is about.

    Raises:
        InputError: see ``sample``.
    """
    run, chosen = _ready(path, options, name)
    generators = _generators(run)
    generators.open_samples(Path(out), _describe(run, chosen), chosen.overwrite)
    _check_export(chosen, Path(out))
    names = generators.names(run.config, run.info, chosen)
    return run, names, generators.forecast(run.model, run.config, run.info, chosen)


def _ready(path: AnyPath, options: SampleOptions | Mapping[str, Any], name: str | None) -> tuple[Run, SampleOptions]:
    folder = RunFolder.open(Path(path))
    spec = spec_of(folder, name)
    if spec.sample is None:
        able = [known.name for known in domains().values() if isinstance(known, DomainSpec) and known.sample]
        raise InputError(f"{folder.path}: domain {spec.name!r} has no generators; those of {', '.join(able)} have")
    chosen = absolute(checked(spec.sample, options))
    run = open_runs([folder], spec.name, chosen.device)[0]
    if run.task.kind != "generation":
        raise InputError(
            f"{folder.path}: was trained to predict, not to make new samples; predict with `multiunet predict "
            f"{spec.name}`, or train a generator: `multiunet train {spec.name}` with `task=generate`"
        )
    take_average(run, chosen.average)
    return run, chosen


def _generators(run: Run) -> Generators[Any, Any]:
    found: Generators[Any, Any] | None = run.domain.generators
    if found is None:
        raise InputError(f"domain {run.spec.name!r} has settings of samples, but no generators")
    return found


def _describe(run: Run, options: SampleOptions) -> dict[str, Any]:
    return {
        "domain": run.spec.name,
        "task": run.task.kind,
        "run": name_run(run.folder.path),
        "weights": hash_weights(run.net),
        "samples": options.count,
        "seed": options.seed,
        "precision": precision_of(run, options.device, getattr(options, "precision", None)),
        "steps": options.steps,
        **({} if options.average is None else {"average": options.average}),
        **options.describe_sampler(),
    }


def _settings(options: SampleOptions) -> dict[str, Any]:
    """Return the settings that the samples depend on, as plain JSON."""
    settings: dict[str, Any] = json.loads(options.model_dump_json(exclude=APART))
    return settings


def _check_export(options: SampleOptions, out: Path) -> None:
    if (folder := options.export_folder()) is None:
        return
    if out.absolute() in (folder, *folder.parents):
        raise InputError(f"{folder}: `export` is in the samples themselves, {out}; choose a folder beside it")
    check_folder(folder, options.overwrite)
