"""Page of a run: ``report.html`` in its folder, or in that of the folds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from multiunet.domains.calibration_file import read_fits
from multiunet.domains.describe import count_parameters, summarise
from multiunet.domains.inference import score
from multiunet.domains.remarks import no_remarks, remark
from multiunet.domains.report.citing import describe_program, list_papers
from multiunet.domains.report.curves import draw_training, draw_uncertainty
from multiunet.domains.report.page import MOST_BYTES, render
from multiunet.domains.report.tables import (
    MOST_ITEMS,
    confuse,
    show,
    tabulate_items,
    tabulate_parts,
    tabulate_scores,
    tabulate_uncertainty,
)
from multiunet.domains.result import Report
from multiunet.domains.runs import Run, all_runs, open_untrained
from multiunet.domains.score_file import add_scores, find_epochs
from multiunet.domains.score_words import name_score
from multiunet.domains.verdict import judge
from multiunet.errors import InputError, RunError
from multiunet.files import AnyPath, write_text
from multiunet.training.run_folder import REPORT, RunFolder
from multiunet.wording import counted, duration

NOT_SCORED = "Nothing has been scored yet: multiunet evaluate writes scores, cases and uncertainty here."


@dataclass(frozen=True)
class Key:
    """Number that stands at the head of the page."""

    name: str
    value: str


def write_page(path: AnyPath, report: Report | None = None) -> Path:
    """Write the page of a run, or of folds, anew; return its file.

    Args:
        report: scores to show; None: only what was trained, and how that went.

    Raises:
        InputError: for a bad run.
        OSError: where it cannot be written.
    """
    page = Path(path) / REPORT
    write_text(page, make_page(Path(path), report))
    return page


def try_page(path: Path, report: Report | None) -> list[Path]:
    """Write the page of a run anew, and keep its scores; return the file, or none and say why."""
    try:
        if report is not None:
            add_scores(path, report, find_epochs([RunFolder.open(folder) for folder in all_runs(path)]))
        return [write_page(path, report)]
    except (InputError, OSError) as error:
        remark(f"{path / REPORT}: not written: {error}")
        return []


def report_training(path: Path) -> list[Path]:
    """Score what has just been trained on its validation split, and write its page; return the file.

    Where it cannot be scored, as a generator, the page shows what was trained, and how that went. A training is never
    lost by it: what goes wrong is said.

    Args:
        path: of the run, or of folds.
    """
    folders = [RunFolder.open(folder) for folder in all_runs(path)]
    report = None
    if all(folder.dataset()["split"]["val"] and folder.config().get("task") != "generate" for folder in folders):
        try:
            with no_remarks():  # calibration, just before, has said them
                report = score(path, {"split": "val", "device": folders[0].config()["device"]})
        except (InputError, RunError) as error:
            remark(f"{path}: not scored for {REPORT}: {error}")
    if report is not None:
        chosen = f"{report.scored}: also chose the best epoch, so scores of new data are lower"
        report = replace(report, notes=[*report.notes, chosen])
    return try_page(path, report)


def make_page(path: Path, report: Report | None = None) -> str:
    """Return the page of a run, or of folds; of cases too many for ``MOST_BYTES`` the last are left out."""
    folders = [RunFolder.open(folder) for folder in all_runs(path)]
    run = open_untrained(folders[0])
    content = {**_about(path, run, folders), **_scores(report, run)}
    content["notes"] += [] if report is None else [f"{note[:1].upper()}{note[1:]}." for note in report.notes]
    cases = [] if report is None or report.draw is None else list(report.draw())
    while len(page := render("report.html.j2", **content, cases=cases).encode()) > MOST_BYTES and cases:
        cases = cases[:-1]
    return page.decode()


def _about(path: Path, run: Run, folders: Sequence[RunFolder]) -> dict[str, Any]:
    """Return what the page says of the run, its training and its papers."""
    config, name = run.folder.config(), path.resolve().name
    rows = {folder.path.name: folder.history() for folder in folders}
    best = {folder.path.name: int(epoch) for folder in folders if (epoch := folder.best_scores().get("epoch"))}
    monitor = run.model.task.monitor
    seconds = sum(float(row.get("seconds") or 0) for own in rows.values() for row in own)
    epochs = sum(len(own) for own in rows.values())
    folds = f", {counted(len(folders), 'fold')}" if len(folders) > 1 else ""
    statuses = list(dict.fromkeys(folder.read_status() for folder in folders))
    unfinished = [words for folder in folders if (words := folder.unfinished())]
    return {
        "title": name,
        "lead": f"Trained by multiunet train {run.spec.name}{folds}: {counted(epochs, 'epoch')} in "
        f"{duration(seconds)}, {count_parameters(run.model.net):,} parameters.",
        "facts": {**_folds(folders), **summarise(run.domain, run.config, run.info, run.model)}
        | {"status": ", ".join(statuses)},
        "notes": unfinished,
        "training": draw_training(rows, best, monitor),
        "sheet": _find_sheet(run.folder),
        "program": describe_program(),
        "papers": list_papers(run.spec.name, config, bool(read_fits(path))),
        "identity": f"data {run.info.data[:16]}, seed {config.get('seed')}"
        + (f", best epoch {next(iter(best.values()))}" if len(best) == 1 else ""),
        "settings": (run.folder.path / "config.yaml").read_text(encoding="utf-8", errors="replace"),
        "machine": _read(run.folder.path / "env.json"),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "version": version("multiunet"),
    }


def _scores(report: Report | None, run: Run) -> dict[str, Any]:
    """Return what the page says of an evaluation."""
    if report is None:
        none = dict.fromkeys(("scores", "by_part", "uncertainty", "items"))
        empty: dict[str, Any] = {name: [] for name in ("key", "verdict", "confusion", "reliability")}
        return {**none, **empty, "not_scored": "" if run.model.task.kind == "generation" else NOT_SCORED}
    items = tabulate_items(report)
    return {
        "key": _keys(report),
        "verdict": judge(report.metrics, report.baselines, name_score, _as_words),
        "scored": f"{report.scored[:1].upper()}{report.scored[1:]}; {report.prediction}",
        "scores": tabulate_scores(report),
        "by_part": tabulate_parts(report),
        "part_title": "By quantity" if "per_track" in report.metrics else "By class",
        "part_name": "quantity" if "per_track" in report.metrics else "class",
        "confusion": confuse(report),
        "uncertainty": tabulate_uncertainty(report),
        "reliability": draw_uncertainty(report.curves),
        "calibrated": _calibrated(report),
        "items": items,
        "more_items": f"The {MOST_ITEMS} worst of {len(report.items)}." if len(report.items) > MOST_ITEMS else "",
        "cases_words": f"From {report.scored}, as it was scored: {report.prediction}.",
        "not_scored": "",
    }


def _calibrated(report: Report) -> str:
    words = "Does what is stated come true, and do uncertain sites err more?"
    return f"{words} Scored: {report.prediction}." if report.prediction else words


def _keys(report: Report) -> list[Key]:
    """Return the main score, the best trivial method's, and how often the surest are right."""
    if report.main is None or report.metrics.get(report.main) is None:
        return []
    found = [Key(f"{name_score(report.main)}, {report.scored}", show(report.metrics[report.main]))]
    others = {
        name: float(scores[report.main])
        for name, scores in report.baselines.items()
        if isinstance(scores.get(report.main), (int, float))
    }
    if others:
        name = max(others, key=lambda one: others[one])
        found.append(Key(f"the same of the best baseline, {_as_words(name)}", show(others[name])))
    stated = [one for one in ("calibration_error", "coverage_90", "error_auroc") if one in report.metrics]
    found += [Key(name_score(one), show(report.metrics[one])) for one in stated]
    return found[:4]


def _folds(folders: Sequence[RunFolder]) -> dict[str, str]:
    """Return how many folds there are, and which one the other facts are of; nothing of a single run."""
    if len(folders) == 1:
        return {}
    return {"folds": f"{len(folders)}; numbers to train, validate and test are those of {folders[0].path.name}"}


def _as_words(name: str) -> str:
    return name.replace("_", " ")


def _find_sheet(folder: RunFolder) -> bytes | None:
    """Return the newest sheet of a generator's samples, if it is small enough."""
    sheets = sorted((folder.path / "samples").glob("*.png"), key=lambda path: path.stat().st_mtime)
    content = sheets[-1].read_bytes() if sheets else b""
    return content if 0 < len(content) < MOST_BYTES // 2 else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
