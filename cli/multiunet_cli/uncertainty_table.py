"""Table of scores of uncertainty, and which scores these are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from multiunet.domains.score_words import GOALS, RANKINGS, UNSHOWN, show_ranking
from multiunet_cli.tables import cell

if TYPE_CHECKING:
    from rich.table import Table

Scores = Mapping[str, Any]

TRACKS = 6
"""Most quantities that have a column each."""


def without_uncertainty(scores: Scores) -> dict[str, Any]:
    """Return the other scores, those of each quantity and over folds, too."""
    kept = {name: value for name, value in scores.items() if name not in GOALS and name not in UNSHOWN}
    for name in ("mean_of_folds", "sd_of_folds", "each_fold"):
        if name in kept:
            kept[name] = without_uncertainty(kept[name])
    if "per_track" in kept:
        kept["per_track"] = [without_uncertainty(track) for track in kept["per_track"]]
    return kept


def make_table(scores: Scores, items: int = 0) -> Table | None:
    """Make the table of scores of uncertainty; None where none is stated.

    Args:
        items: how many the scores are of, which is said where they are ranked; 0: not said.
    """
    from rich.markup import escape
    from rich.table import Table

    columns = _columns(scores)
    names = [name for name in GOALS if any(name in column for column in columns.values())]
    if not names:
        return None
    table = Table("uncertainty")
    for title in columns:
        table.add_column(escape(title), justify="right")
    table.add_column("at best")
    for name in names:
        told = [_told(name, column[name], items) if name in column else "" for column in columns.values()]
        table.add_row(name, *told, GOALS[name])
    return table


def _told(name: str, value: Any, items: int) -> str:
    """Return a score as one reads it; of a rank correlation of items no more digits than few items give."""
    if name not in RANKINGS or not items or not isinstance(value, float):
        return cell(value)
    return show_ranking(value, items)


def _columns(scores: Scores) -> dict[str, Scores]:
    """Scores of all, over folds, and of each quantity where these are few, by the column's title."""
    tracks = scores.get("per_track", [])
    columns: dict[str, Scores] = {"mean of all" if tracks else "model": scores}
    for name in ("mean_of_folds", "sd_of_folds"):
        if name in scores:
            columns[name.replace("_", " ")] = scores[name]
    if len(tracks) <= TRACKS:
        columns |= {str(track.get("track", place)): track for place, track in enumerate(tracks)}
    return columns
