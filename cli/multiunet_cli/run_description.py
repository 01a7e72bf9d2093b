"""Description of a run, for ``multiunet info``: what its folder says, as far as it can be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multiunet.domains.calibration_words import describe_fits
from multiunet.errors import InputError
from multiunet.wording import duration, figure
from multiunet_cli.best import numbers

if TYPE_CHECKING:
    from multiunet.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunDescription:
    """Run in lines for a person, by what each is about, and whole, plain JSON."""

    lines: dict[str, str]
    content: dict[str, Any]


def describe_run(folder: RunFolder) -> RunDescription:
    """Describe a run; of one without readable weights, all that its folder says beside them.

    Raises:
        InputError: when its settings or the facts on its data cannot be read.
    """
    from multiunet.domains.calibration_file import read_fits
    from multiunet.domains.describe import describe, summarise
    from multiunet.domains.info import to_json
    from multiunet.domains.runs import open_untrained, with_weights

    bare = open_untrained(folder)
    known = summarise(bare.domain, bare.config, bare.info, bare.model)
    status = folder.read_status()
    lines = {"run": f"{folder.path} ({bare.spec.name})"}
    content: dict[str, Any] = {"domain": bare.spec.name, "status": status}
    try:
        run, missing = with_weights(bare), None
    except InputError as error:
        run, missing = bare, str(error)
        content["weights"] = missing
    lines |= {"status": status, "trained": _trained(folder)}
    if missing is not None:
        lines["weights"] = missing
    if scores := _best(run.best):
        lines["best"] = scores
    lines |= known
    content |= {
        "network": describe(run.model, run.domain.example(run.model, run.config, run.info)),
        "best": run.best,
        "kept_epochs": list(folder.kept.paths()),
        "calibration": describe_fits(read_fits(folder.path), run.spec.groups),
        "dataset": to_json(run.info),
        "config": json.loads(run.config.model_dump_json()),
    }
    return RunDescription(lines, content)


def _trained(folder: RunFolder) -> str:
    rows = folder.history()
    seconds = sum(float(row.get("seconds") or 0) for row in rows)
    took = f", {duration(seconds)}" if rows else ""
    return f"{folder.describe_progress()}{took}"


def _best(best: dict[str, Any]) -> str:
    """Say which epoch is the best, and its scores on validation."""
    if not best.get("scores"):
        return ""
    scores = ", ".join(f"{name} {figure(value)}" for name, value in numbers(best["scores"]).items())
    return f"epoch {best.get('epoch')}, on validation: {scores}"
