"""Questions to trained runs, one way for all domains: variants, mutagenesis, attribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multiunet.domains.config import absolute, checked
from multiunet.domains.predicting import settle_samples
from multiunet.domains.question import Question
from multiunet.domains.question_options import QuestionOptions
from multiunet.domains.runs import all_runs, check_predicts, hash_weights, join_runs, open_runs, spec_of
from multiunet.domains.spec import DomainSpec, domains
from multiunet.errors import InputError
from multiunet.files import AnyPath, check_creatable
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.progress import ConsoleProgress, Progress
from multiunet.training.run_folder import RunFolder

Paths = AnyPath | Sequence[AnyPath]
Given = QuestionOptions | Mapping[str, Any]


def variants(
    path: Paths, options: Given, out: AnyPath, name: str | None = None, progress: Progress | None = None
) -> Mapping[str, Any]:
    """Score the variants of a VCF file with a trained run into a table; return counts, as plain JSON.

    An interrupted call goes on where it was, when it is repeated with the same settings.

    Args:
        path: of the run; several are an ensemble.
        options: the domain's settings, or a mapping of those that are given.
        out: the table, NAME.tsv.
        name: domain that the run must be of; None: any.
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a bad run, a file that does not fit the genome, or an ``out`` that exists.
    """
    return ask("variants", path, options, out, name, progress)


def mutagenesis(
    path: Paths, options: Given, out: AnyPath, name: str | None = None, progress: Progress | None = None
) -> Mapping[str, Any]:
    """Change each base of a region, and write into a folder what that does to the prediction.

    Args:
        path, options, name, progress: see ``variants``.
        out: the folder.

    Raises:
        InputError: for a bad run, a region that is not there, or a folder with files.
    """
    return ask("mutagenesis", path, options, out, name, progress)


def attribute(
    path: Paths, options: Given, out: AnyPath, name: str | None = None, progress: Progress | None = None
) -> Mapping[str, Any]:
    """Share the prediction of regions out among their bases, by gradients; write it into a folder.

    Args:
        path, options, name, progress: see ``variants``.
        out: the folder.

    Raises:
        InputError: for a bad run, a region that is not there, a folder with files, or without captum.
    """
    return ask("attribute", path, options, out, name, progress)


def ask(
    question: str,
    path: Paths,
    options: Given,
    out: AnyPath,
    name: str | None = None,
    progress: Progress | None = None,
) -> Mapping[str, Any]:
    """Put one question of a domain to a trained run; see ``variants``.

    Raises:
        InputError: see there; also where the domain has no such question.
    """
    folders = [RunFolder.open(run) for run in all_runs(path)]
    spec = spec_of(folders[0], name)
    if question not in spec.questions:
        able = [
            known.name for known in domains().values() if isinstance(known, DomainSpec) if question in known.questions
        ]
        raise InputError(f"domain {spec.name!r} has no {question}; {', '.join(able)} has")
    chosen = absolute(checked(spec.questions[question], options))
    check_creatable(Path(out).absolute())
    runs = open_runs(folders, spec.name, chosen.device, chosen.checkpoints)
    check_predicts(runs)
    run = join_runs(runs)
    chosen = settle_samples(chosen, run, "no deviations are known")
    about = {"run": [str(folder.path) for folder in folders], "weights": hash_weights(run.net)}
    with ConsoleProgress() if progress is None else progress as shown:
        model = replace(run.model, net=fuse_layers(run.model.net))
        asked = Question(question, chosen, Path(out), about, shown)
        return run.domain.answer(model, run.config, run.info, asked)
