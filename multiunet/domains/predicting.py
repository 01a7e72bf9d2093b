"""Predictions with trained runs: what is checked before they are made, and how they are made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from multiunet.domains.calibration import with_calibration
from multiunet.domains.config import EvaluateOptions, PredictOptions, absolute, checked
from multiunet.domains.exports import exported
from multiunet.domains.question_options import QuestionOptions
from multiunet.domains.remarks import remark
from multiunet.domains.runs import (
    Run,
    all_runs,
    check_predicts,
    hash_weights,
    join_runs,
    name_run,
    open_runs,
    precision_of,
    spec_of,
)
from multiunet.domains.statements import make_statements
from multiunet.domains.tiled_options import PredictTiles
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths, check_folder
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.prediction import PredictionStore
from multiunet.prediction.ensemble import members
from multiunet.prediction.ledger import Ledger, Part
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder
from multiunet.uncertainty import dropouts
from multiunet.uncertainty.statements import describe

APART = {"device", "export", "export_as", "export_what", "overwrite", "memory", "tile_batch", "resume", "part", "dask"}
"""Settings that a prediction does not depend on, or only by what its ledger keeps."""

Sampled = TypeVar("Sampled", PredictOptions, EvaluateOptions, QuestionOptions)


@dataclass(frozen=True)
class Prepared:
    """Prediction of which all is checked that can be before it is made.

    Attributes:
        options: complete: nothing is left open.
    """

    run: Run
    store: PredictionStore
    options: PredictOptions

    def make(self, progress: Progress) -> bool:
        """Predict into the store, or a part of it; return whether the store is complete."""
        model = replace(self.run.model, net=fuse_layers(self.run.model.net))
        ledger = self.store.ledger
        try:
            with self.store:
                self.run.domain.predict(model, self.run.config, self.run.info, self.options, self.store, progress)
                if ledger is None or not ledger.in_parts:
                    return True
                if not self.store.close_part():
                    left = ", ".join(map(str, ledger.missing_parts())) or "none, another part completes it"
                    progress.note(f"{self.store.path}: part {ledger.part} is done; still missing: {left}")
                    return False
                self.run.domain.predict(model, self.run.config, self.run.info, self.options, self.store, progress)
                return True
        except KeyboardInterrupt:
            if ledger is not None and not ledger.is_empty():
                how = "the same command" if ledger.in_parts else "the same command with `resume`"
                progress.note(f"{self.store.path}: what is done is kept; {how} goes on from there")
            raise

    def export(self) -> list[Path]:
        """Write the files that the settings ask for beside the complete store; return them."""
        if (folder := self.options.export) is None:
            return []
        return exported(folder, lambda: self.run.domain.export(self.store.path, folder, self.run.info, self.options))


def prepare(
    path: AnyPath | Sequence[AnyPath], options: PredictOptions | Mapping[str, Any], out: AnyPath, name: str | None
) -> Prepared:
    """Read and check all that a prediction needs; write nothing.

    Raises:
        InputError: for a bad run, bad settings, or an ``out`` or export that cannot be written.
    """
    folders = [RunFolder.open(run) for run in all_runs(path)]
    spec = spec_of(folders[0], name)
    chosen = checked(spec.predict, options)
    runs = open_runs(folders, spec.name, chosen.device, chosen.checkpoints)
    check_predicts(runs)
    run = join_runs(runs)
    chosen = settle_samples(absolute(chosen), run)
    named = ", ".join(map(str, as_paths(path)))
    run, fit = with_calibration(run, [*as_paths(path), *(folder.path for folder in folders)], chosen, named)
    stated = make_statements(run.model, chosen, named, spec)
    run = replace(run, model=replace(run.model, statements=stated))
    attrs = {
        "domain": run.spec.name,
        "task": run.model.task.kind,
        "run": ", ".join(name_run(folder.path) for folder in folders),
        "weights": hash_weights(run.model.net),
        "checkpoints": chosen.checkpoints,
        "samples": chosen.samples,
        "seed": chosen.seed,
        "precision": precision_of(run, chosen.device, getattr(chosen, "precision", None)),
        "prediction": describe_prediction(chosen, run),
        "lowest": run.model.task.lowest,
        "calibration": None if fit is None else fit.model_dump(mode="json"),
        **describe(stated),
    }
    store = PredictionStore(out, attrs, chosen.overwrite, _make_ledger(out, attrs, chosen))
    if chosen.export is not None:
        if Path(out).absolute() in (chosen.export, *chosen.export.parents):
            raise InputError(f"{chosen.export}: `export` is in the prediction itself, {out}; choose a folder beside it")
        check_folder(chosen.export, chosen.overwrite)
    return Prepared(run, store, chosen)


def _make_ledger(out: AnyPath, attrs: Mapping[str, Any], options: PredictOptions) -> Ledger | None:
    """Return the record of a prediction that is made tile by tile; None of others."""
    if not isinstance(options, PredictTiles):
        return None
    part = None if options.part is None else Part.of(options.part)
    settings = json.loads(options.model_dump_json(exclude=APART))
    plan = {**attrs, **settings, "parts": 1 if part is None else part.count}
    return Ledger(Path(out), plan, part, options.resume)


def settle_samples(options: Sampled, run: Run, so: str = "epistemic is 0 by definition") -> Sampled:
    """Return the settings with one sample where the network has no dropout: all would be the same.

    Args:
        so: what a single sample of a single run means for the answer, for a message.

    Raises:
        InputError: when several were asked for, or only some runs of an ensemble have dropout.
    """
    nets = members(run.model.net)
    without = sum(not dropouts(net) for net in nets)
    alone = len(nets) == 1 and not options.other_samples()
    zero = f"; {so}" if alone else ""
    if options.samples == 1 or not without:
        if options.samples == 1 and alone:
            remark(f"`samples=1`: a single pass without dropout, so {so}")
        return options
    if without < len(nets):
        have = "has" if without == 1 else "have"
        raise InputError(
            f"`samples={options.samples}`: {without} of the {len(nets)} runs {have} no dropout; pass `samples=1`"
        )
    if "samples" in options.model_fields_set:
        raise InputError(
            f"`samples={options.samples}`: {run.folder.path} was trained without dropout, so all samples would be the "
            "same; leave `samples` out, or give `samples=1`"
        )
    remark(f"{run.folder.path}: trained without dropout, so one sample is taken, not several{zero}")
    return options.model_copy(update={"samples": 1})


def describe_prediction(options: PredictOptions | EvaluateOptions, run: Run) -> str:
    """Say what a prediction is the mean of."""
    several = f"{options.samples} Monte-Carlo samples, seed {options.seed}"
    words = ["one pass without dropout" if options.samples == 1 else several]
    if (count := len(members(run.model.net))) > 1:
        words.append(f"of each of {count} {'runs' if options.checkpoints == 'best' else 'kept checkpoints'}")
    return ", ".join([*words, *run.domain.ways(run.config, run.info, options)])
