"""Evaluation of all domains: labelled data are predicted, scored beside trivial methods, and pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from multiunet.domains.cases import Album, Case, choose_items
from multiunet.domains.config import PredictOptions
from multiunet.domains.domain import Domain
from multiunet.domains.folds import each_fold, spread
from multiunet.domains.info import DatasetInfo
from multiunet.domains.labelled import Labelled, Piece
from multiunet.domains.missed import find_missed
from multiunet.domains.model import Model
from multiunet.domains.novelty import Novelty, join_novelty, predict_other
from multiunet.domains.remarks import remark
from multiunet.domains.result import Report
from multiunet.domains.score_words import name_score
from multiunet.domains.side_score import SideScore
from multiunet.errors import InputError
from multiunet.metrics import mean_of_defined, spearman
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Score, Task
from multiunet.uncertainty import Calibration
from multiunet.wording import figure, listing

FEWEST_ITEMS = 3
"""Items from which their order says something."""


NOT_NEW = "their scores would say nothing of new data"
"""What is wrong with scoring data that a run has seen."""


@dataclass(frozen=True)
class Trained:
    """A trained model to score.

    Attributes:
        name: of its run, for errors and, of a fold, for the report.
    """

    name: str
    model: Model
    config: Any
    info: Any


@dataclass(frozen=True)
class Scored:
    """Score over all items of some data, those of each item by name, the domain's own, and pictures."""

    total: Score
    items: dict[str, dict[str, Any]]
    side: SideScore | None = None
    album: Album | None = None


def main_score(task: Task, score: Score) -> str:
    """Return the name of the score that says most: the one that chose the best epoch."""
    return task.monitor or score.monitor


def score_pieces(
    task: Task,
    pieces: Iterable[Piece],
    calibration: Calibration | None = None,
    novelty: Novelty | None = None,
    side: SideScore | None = None,
    album: Album | None = None,
) -> Scored:
    """Score predictions piece by piece, item by item.

    Args:
        calibration: of the predictions, whose intervals or sets are scored.
        novelty: to which their moments are added, too.
        side: the domain's own score, to which they are added, too.
        album: which keeps what is shown of the best and the worst items.
    """
    total, items = task.score(calibration), {}
    for name, own in groupby(pieces, key=lambda piece: piece.item):
        item = task.score(calibration)
        for piece in own:
            item.add(piece.predicted, piece.target, piece.moments)
            if piece.moments is not None and piece.set_scores:
                item.add_sets(piece.moments, piece.target, piece.set_scores)
            if novelty is not None and piece.moments is not None:
                novelty.add(piece.moments, name, other=False)
            if side is not None:
                side.add(piece)
            if album is not None:
                album.add(piece)
        if name is not None:
            items[name] = item.result()
            if album is not None:
                album.close(name, items[name].get(main_score(task, item)))
        total.merge(item)
    return Scored(total, items, side, album)


def evaluate(
    domain: Domain[Any, Any, Any],
    models: Sequence[Trained],
    options: Any,
    runs: Mapping[str, DatasetInfo],
    prediction: str,
    other: PredictOptions | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Score trained models on the data that the options name, each of several on its own split.

    Trivial methods are fitted to the training split of each model and score the same data; a method that cannot be
    fitted for all of them is left out.

    Args:
        models: one, or the folds of a cross-validation.
        runs: info of all runs that the models consist of, by name, none of which may have seen the data; empty where a
            run's own split is scored.
        prediction: what is scored, in words, for the report.
        other: settings of a prediction that name other data, which are to be told from the scored ones; None: none.
        progress: shows how far it is.
    """
    if other is not None:
        domain.inputs(models[0].config, models[0].info, other)  # errors come before the first is predicted
    found: list[Scored] = []
    trivial: list[dict[str, Scored]] = []
    told: list[Novelty] = []
    for one in models:
        data = domain.read(one.config, one.info, options)
        check_unseen(data, runs)
        pieces = domain.predict_labelled(one.model, one.config, one.info, data, options, progress)
        novelty = None if other is None else Novelty(one.model.task)
        side = domain.side_score(one.config, one.info, data)
        album = domain.album(one.model, one.info, data)
        found.append(score_pieces(one.model.task, pieces, one.model.calibration, novelty, side, album))
        if novelty is not None:
            for name, moments in predict_other(domain, one.model, one.config, one.info, other, progress):
                novelty.add(moments, name, other=True)
            told.append(novelty)
        trivial.append(_score_trivial(domain, one, data))
    task = models[0].model.task
    items = _items([one.name for one in models], found)
    totals = [part.total for part in found]
    metrics = score_folds(task, totals) | join_sides(found) | rank_items(items.values()) | join_novelty(told)
    whole = pool(task, totals)
    main, names = main_score(task, whole), [one.name for one in models]
    draw = partial(draw_items, found, _find_items(names, found), main)
    _say_missed(data.name, metrics)
    floor = _pool_trivial(task, trivial)
    return Report(domain.name, data.name, metrics, floor, items, prediction, whole.curves(), main=main, draw=draw)


def _score_trivial(domain: Domain[Any, Any, Any], one: Trained, data: Labelled) -> dict[str, Scored]:
    """Score the trivial methods that can predict these data, fitted to the training split of a model."""
    return {
        name: score_pieces(one.model.task, guess, side=domain.side_score(one.config, one.info, data))
        for name, method in domain.fit_baselines(one.model.task, one.config, one.info).items()
        if (guess := method(data)) is not None
    }


def _pool_trivial(task: Task, trivial: Sequence[Mapping[str, Scored]]) -> dict[str, dict[str, Any]]:
    """Return the scores of each method that was scored beside all models, over all of them."""
    floor = {
        name: score_folds(task, [own[name].total for own in trivial]) | join_sides([own[name] for own in trivial])
        for name in trivial[0]
        if all(name in own for own in trivial)
    }
    for scores in floor.values():
        scores.pop("each_fold", None)
    return floor


def _say_missed(scored: str, metrics: Mapping[str, Any]) -> None:
    """Say which classes the truth has and no prediction gives."""
    if missed := find_missed(metrics):
        remark(f"{scored}: nothing is predicted as {listing(missed)}, which the truth has: this run does not find it")


def pool(task: Task, folds: Sequence[Score]) -> Score:
    """Return the score over the items of all folds."""
    if len(folds) == 1:
        return folds[0]
    whole = task.score()
    for fold in folds:
        whole.merge(fold)
    return whole


def score_folds(task: Task, folds: Sequence[Score]) -> dict[str, Any]:
    """Return the scores over all folds; of several also of each fold, their mean and deviation."""
    whole = pool(task, folds).result()
    if len(folds) == 1:
        return whole
    each = [fold.result() for fold in folds]
    return whole | spread(each) | {"each_fold": each_fold(each)}


def join_sides(found: Sequence[Scored]) -> dict[str, Any]:
    """Return the domain's own scores over all folds; nothing where it has none."""
    sides = [part.side for part in found if part.side is not None]
    for side in sides[1:]:
        sides[0].merge(side)
    return dict(sides[0].result()) if sides else {}


def rank_items(items: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the rank correlation of stated and true error of items; nothing without items that state it.

    Stated is the mean of ``total`` over the sites of an item, true its share of wrong sites, or, of a quantity, its
    mean absolute error. None for fewer than ``FEWEST_ITEMS``. Of several quantities it is the mean over them.
    """
    rows = [[of_item, *of_item.get("per_track", [])] for of_item in items]
    stated = [[row for row in of_item if "mean_total" in row] for of_item in rows]
    if not any(stated):
        return {}
    found = []
    for quantity in zip(*filter(None, stated)):
        pairs = [(row["mean_total"], row["mean_error"]) for row in quantity if row["mean_error"] is not None]
        enough = len(pairs) >= FEWEST_ITEMS
        found.append(spearman(*np.array(pairs).T) if enough else None)
    return {"item_spearman": mean_of_defined(found)}


def _items(names: Sequence[str], found: Sequence[Scored]) -> dict[str, dict[str, Any]]:
    """Scores of each item; of several folds with its fold, which tells apart what several folds validate on."""
    if len(found) == 1:
        return found[0].items
    places = _find_items(names, found).items()
    return {name: {"fold": names[place], **found[place].items[own]} for name, (place, own) in places}


def _find_items(names: Sequence[str], found: Sequence[Scored]) -> dict[str, tuple[int, str]]:
    """Return, by the names that items have in a report, the index of their fold and their names in it."""
    places: dict[str, tuple[int, str]] = {}
    for place, (fold, part) in enumerate(zip(names, found)):
        for name in part.items:
            places[name if name not in places else f"{name}, {fold}"] = place, name
    return places


def draw_items(found: Sequence[Scored], places: Mapping[str, tuple[int, str]], main: str) -> list[Case]:
    """Draw the worst and the best items; without scores of their own, what the album chooses.

    Args:
        places: see ``_find_items``.
        main: name of the score that orders items.
    """
    if not places:
        first = "" if len(found) == 1 else f"the first of {len(found)} folds; "
        drawn = [case for part in found[:1] if part.album is not None for case in part.album.draw(())]
        return [replace(case, words=f"{first}{case.words}") for case in drawn]
    scores = {name: found[place].items[own].get(main) for name, (place, own) in places.items()}
    known = {name: float(value) for name, value in scores.items() if value is not None}
    cases: list[Case] = []
    for name, rank in choose_items(known).items():
        place, own = places[name]
        words = f"{name_score(main)} {figure(known[name])}"
        if (album := found[place].album) is not None:
            cases += [replace(case, name=name, rank=rank, score=words) for case in album.draw([own])]
    return cases


def check_unseen(data: Labelled, runs: Mapping[str, DatasetInfo], why: str = NOT_NEW) -> None:
    """Refuse other data that holds inputs which a run was trained or validated on.

    The same input is one of the same content (pixels; bases; features and edges), under whatever name, or, of images,
    the same file. What a run was tested on may be scored.

    Args:
        runs: info of each run that predicts, by name.
        why: what is wrong with such data, for the error.

    Raises:
        InputError: naming the inputs, the run and what to do.
    """
    for run, info in runs.items():
        seen = info.seen()
        again = {item: seen[key] for item, keys in data.keys.items() for key in keys if key in seen}
        if again:
            item, known = next(iter(again.items()))
            first = "" if item == known else f"; {item} is the same as {known}"
            raise InputError(
                f"{data.name}: {len(again)} of {len(data.keys)} inputs were trained or validated on by {run} "
                f"({listing(list(again))}{first}); {why}: {data.remedy}"
            )
