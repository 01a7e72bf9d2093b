"""Model card of a run: what it is, what it is worth, and how to use it, in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from multiunet.domains.calibration_file import Fit
from multiunet.domains.calibration_words import describe_fits
from multiunet.domains.describe import summarise
from multiunet.domains.report.citing import describe_program, list_papers
from multiunet.domains.report.tables import Table, tabulate_scores, tabulate_uncertainty
from multiunet.domains.result import Report
from multiunet.domains.runs import Run, hash_weights
from multiunet.domains.sharing.options import ShareOptions
from multiunet.training.run_places import RUN
from multiunet.wording import as_word, counted

NO_LICENCE = "None is stated: ask the authors before you use these weights."

UNCALIBRATED = "None: uncertainty is as the network states it."

CONDITIONS = (
    "It is made for data like those that it was trained on. On data of other instruments, specimens or conditions "
    "scores are usually lower, and uncertainty may be understated: evaluate it on labelled data of your own first."
)


@dataclass(frozen=True)
class Subject:
    """Run that a card is of.

    Attributes:
        name: of the folder in the archive.
        runs: the run, or each fold.
        fits: calibrations of the run, or of all folds together.
        reports: its last evaluation of each data set.
        settings: resolved settings, plain JSON, as they are in the archive.
    """

    name: str
    runs: Sequence[Run]
    fits: Sequence[Fit]
    reports: Sequence[Report]
    settings: Mapping[str, Any]

    @property
    def first(self) -> Run:
        """The run, or the first fold."""
        return self.runs[0]


def write_card(subject: Subject, options: ShareOptions) -> str:
    """Return the model card, with the header that model hubs read."""
    domain = subject.first.spec.name
    folds = f", {counted(len(subject.runs), 'fold')}" if len(subject.runs) > 1 else ""
    fits = _bullets(describe_fits(subject.fits, subject.first.spec.groups))
    papers = list_papers(domain, subject.settings, bool(subject.fits))
    calibrated = [] if subject.first.task.kind == "generation" else ["## Calibration", fits or UNCALIBRATED]
    parts = [
        _header(subject, options),
        f"# {_escaped(subject.name)}",
        *([_escaped(options.about)] if options.about else []),
        f"A U-Net, trained by `multiunet train {domain}`{folds} (multiunet {version('multiunet')}).",
        "## What it was trained on",
        _facts(subject),
        "## Scores",
        *(_scores(subject.reports) or ["No evaluation is recorded in the run."]),
        *calibrated,
        "## Limits",
        _bullets(_limits(subject)),
        "## How to predict",
        _usage(subject),
        "## How to cite",
        _bullets([*([f"These weights: {', '.join(options.authors)}"] if options.authors else []), describe_program()]),
        "The methods:",
        _bullets(papers),
        "## Licence",
        f"{_escaped(options.license)}." if options.license else NO_LICENCE,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(subject: Subject, options: ShareOptions) -> str:
    name = re.sub(r"[^\w.+-]", "-", (options.license or "unknown").lower())
    tags = ["u-net", subject.first.spec.name, subject.first.task.kind, "uncertainty"]
    return "\n".join(["---", "library_name: multiunet", f"license: {name}", f"tags: [{', '.join(tags)}]", "---"])


def _facts(subject: Subject) -> str:
    run = subject.first
    facts = summarise(run.domain, run.config, run.info, run.model)
    facts.pop("memory", None)  # of the machine that trained it
    facts |= {"seed": str(subject.settings.get("seed")), "digest of the data": run.info.data}
    facts["digest of the weights"] = ", ".join(hash_weights(one.net) for one in subject.runs)
    return _table(["", ""], ([about, text] for about, text in facts.items()))


def _scores(reports: Sequence[Report]) -> list[str]:
    """Return what each evaluation found: the network beside trivial methods, and what its uncertainty is worth."""
    parts = []
    for report in reports:
        parts.append(f"### {_escaped(report.scored)}")
        if report.prediction:
            parts.append(f"{_escaped(report.prediction)}.")
        if (table := tabulate_scores(report)) is not None:
            parts.append(_score_table(table))
        if (table := tabulate_uncertainty(report)) is not None:
            rows = ([row.title, row.cells[0], row.goal] for row in table.rows)
            parts.append(_table(["uncertainty", "network", "at best"], rows))
    return parts


def _score_table(table: Table) -> str:
    def cells(values: Sequence[str], best: int | None) -> Iterator[str]:
        return (f"**{value}**" if place == best else value for place, value in enumerate(values))

    rows = ([row.title, *cells(row.cells, row.best)] for row in table.rows)
    return _table(["score", *table.columns], rows)


def _limits(subject: Subject) -> list[str]:
    """Return what is known not to hold."""
    run, counts = subject.first, subject.first.info.split.counts()
    found = [one for fold in subject.runs if (one := fold.folder.unfinished()) is not None]
    found = [f"Its training has not ended: {re.sub(r'^.*?: ', '', one)}." for one in found]
    if counts["train"] < 50 and run.spec.name != "graph":
        found.append(f"It has learnt from {counted(counts['train'], 'item')} only.")
    if not any("test" in report.scored for report in subject.reports) and run.task.kind != "generation":
        found.append("No scores of a test split are recorded; those of the validation split chose the weights.")
    for report in subject.reports:
        found += [f"{_capital(report.scored)}: {sentence}" for sentence in report.verdict]
        found += [f"{_capital(note)}." for note in report.notes]
    if rare := getattr(run.info, "rare", ()):
        found.append(f"Rare in training, and easily missed: {', '.join(rare)}.")
    return [*found, CONDITIONS]


def _usage(subject: Subject) -> str:
    run, name = subject.first, subject.name
    text = json.dumps(name, ensure_ascii=False)
    domain = run.spec.name
    if run.task.kind == "generation":
        shell, python, given = _command("sample", domain, run=name, out="new.zarr"), "sample", "{}"
    else:
        data = run.spec.predict.data or "images"
        shell = _command("predict", domain, **{"run": name, data: data.upper(), "out": "new.zarr"})
        python = "predict"
        given = json.dumps({data: data.upper()})
    lines = [
        "Unpack the archive, and give its folder as the run:",
        f"```bash\n{_command('info', run=name)}\n{shell}\n```",
        f'```python\nimport multiunet\n\nmultiunet.{python}({text}, {given}, "new.zarr")\n```',
    ]
    if places := _places(subject.settings):
        lines.append(
            "The training data are not in the archive. The settings name them as places in the folder of the run; with "
            "the data there, the run can be evaluated on its own splits. On other labelled data it can be at once."
        )
        lines.append(_table(["setting", "place"], ([f"`{key}`", f"`{place}`"] for key, place in places)))
    return "\n\n".join(lines)


def _command(*words: str, **options: str) -> str:
    """Return a command line."""
    given = (f"{'-' * 2}{option} {as_word(value)}" for option, value in options.items())
    return " ".join(("multiunet", *words, *given))


def _places(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key, value in settings.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and RUN in text:
                found.append((key, text.replace(RUN, "")))
    return found


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_escaped(line)}" for line in lines)


def _escaped(text: str) -> str:
    """Return a text as one line without markup of HTML: names of files and classes may be anything."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
