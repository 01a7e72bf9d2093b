"""Comparison of trained runs on their validation data, one way for all domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from multiunet.domains.comparison import Candidate, Comparison, RowScores, pair, rank
from multiunet.domains.config import EvaluateOptions, absolute, checked
from multiunet.domains.evaluation import Scored, pool, score_pieces
from multiunet.domains.predicting import describe_prediction, settle_samples
from multiunet.domains.runs import Run, all_runs, check_predicts, check_same_split, join_runs, open_runs, spec_of
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.progress import ConsoleProgress, Progress
from multiunet.tasks import Score
from multiunet.training.run_folder import RunFolder
from multiunet.wording import counted

MOST_FOR_PAIRS = 5
"""Candidates of which all pairs are tried; of more, only all together."""

IGNORED = -100
"""Target of rows that do not count, where the task names none."""


def compare(
    paths: Sequence[AnyPath],
    options: EvaluateOptions | Mapping[str, Any] | None = None,
    name: str | None = None,
    ensembles: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Score trained runs, and ensembles of them, on the validation split they share, and choose the best.

    The test split is not read. Validation also chose the epochs, so its scores flatter all alike; what the chosen one
    is worth is for ``evaluate`` on the test split to say.

    Args:
        paths: run folders, or folders of the folds of a cross-validation, two or more, all of one split.
        options: settings of an evaluation, or a mapping of those that are given; without ``split`` or other data.
        ensembles: whether pairs, and all together, are candidates, too.
        progress: shows how far it is; by default on stderr.

    Raises:
        InputError: for a bad run, runs of different splits or targets, or runs that validated on nothing.
    """
    named = as_paths(list(paths))
    if len(named) < 2:
        raise InputError("a comparison is of two runs or more; name another `run`")
    spec = spec_of(RunFolder.open(all_runs(named[0])[0]), name)
    chosen = absolute(checked(spec.evaluate, options or {}))
    if chosen.elsewhere() or "split" in chosen.model_fields_set:
        raise InputError("a comparison is made on the validation split; leave `split` and other data out")
    chosen = chosen.model_copy(update={"split": "val"})
    groups = _open(named, spec.name, chosen)
    _check(named, groups)
    found, left_out, words = [], [], ""
    with ConsoleProgress() if progress is None else progress as shown:
        for places in _subsets(len(named), ensembles):
            try:
                runs = [join_runs([groups[place][fold] for place in places]) for fold in range(len(groups[0]))]
                settled = settle_samples(chosen, runs[0])
            except InputError as error:
                if len(places) == 1:
                    raise
                left_out.append(f"{' + '.join(str(named[place]) for place in places)}: {error}")
                continue
            candidate, measure, scored = _score(tuple(str(named[place]) for place in places), runs, settled, shown)
            words = words or describe_prediction(settled, runs[0])
            found.append(candidate)
    monitor = str(groups[0][0].task.monitor)
    folds = len(groups[0])
    several = f"{scored}, {counted(folds, 'fold')} pooled" if folds > 1 else scored
    first, *others = rank(found)
    differences = tuple(pair(first, other) for other in others)
    return Comparison(
        spec.name, several, words, monitor, measure or monitor, (first, *others), differences, folds, tuple(left_out)
    )


def _open(named: Sequence[Path], name: str, options: EvaluateOptions) -> list[list[Run]]:
    """Open the runs of each candidate, fold by fold, with one reader of data for all."""
    folders = [[RunFolder.open(run) for run in all_runs(path)] for path in named]
    runs = iter(open_runs([one for group in folders for one in group], name, options.device, options.checkpoints))
    return [[next(runs) for _ in group] for group in folders]


def _check(named: Sequence[Path], groups: Sequence[Sequence[Run]]) -> None:
    """Check that candidates can be compared.

    Raises:
        InputError: naming the first that cannot.
    """
    first = groups[0]
    for path, group in zip(named, groups):
        check_predicts(group)
        if len(group) != len(first):
            raise InputError(
                f"{path}: {counted(len(group), 'run')}, but {named[0]} has {len(first)}; compare single runs, or "
                "cross-validations of as many folds"
            )
        for here, there in zip(group, first):
            check_same_split([there, here])
            if not here.info.split.val:
                raise InputError(f"{here.folder.path}: validated on nothing, so nothing can be compared")
            if (here.task.monitor, here.task.names) != (there.task.monitor, there.task.names):
                raise InputError(
                    f"{here.folder.path}: predicts something else than {there.folder.path} "
                    f"({here.task.monitor} of {', '.join(here.task.names)}, there {there.task.monitor} of "
                    f"{', '.join(there.task.names)})"
                )


def _subsets(count: int, ensembles: bool) -> Iterable[tuple[int, ...]]:
    """Return each candidate by itself, then pairs, then all together."""
    places = range(count)
    yield from ((place,) for place in places)
    if ensembles and count <= MOST_FOR_PAIRS:
        yield from combinations(places, 2)
    if ensembles and count > 2:
        yield tuple(places)


def _score(
    name: tuple[str, ...], runs: Sequence[Run], options: EvaluateOptions, progress: Progress
) -> tuple[Candidate, str, str]:
    """Score a candidate, fold by fold; say also what an item's score is, and on what."""
    totals: list[Score] = []
    items: dict[str, float | None] = {}
    measure, scored = "", ""
    for run in runs:
        data = run.domain.read(run.config, run.info, options)
        model = replace(run.model, net=fuse_layers(run.model.net))
        rows = RowScores(getattr(run.task, "ignore_index", IGNORED))
        pieces = run.domain.predict_labelled(model, run.config, run.info, data, options, progress)
        part: Scored = score_pieces(run.task, rows.watch(pieces))
        totals.append(part.total)
        own = {item: scores.get(str(run.task.monitor)) for item, scores in part.items.items()}
        if not own:
            own, measure = dict(zip(map(str, range(len(rows.values))), rows.values)), rows.measure
        items |= {f"{item}, {run.folder.path.name}" if item in items else item: value for item, value in own.items()}
        scored = data.name
    total = pool(runs[0].task, totals).result()[str(runs[0].task.monitor)]
    return Candidate(name, total, items, len(name)), measure, scored
