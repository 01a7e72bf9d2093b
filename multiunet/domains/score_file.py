"""Scores of a run on disk: its last evaluation of each data set, as long as its weights are the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from multiunet.domains.info import Record
from multiunet.domains.remarks import remark
from multiunet.domains.result import Report
from multiunet.files import write_text
from multiunet.training.run_folder import SCORES, RunFolder


class Scored(Record):
    """Stored ``Report``, without its items, curves and pictures."""

    domain: str
    scored: str
    prediction: str = ""
    metrics: dict[str, Any]
    baselines: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    main: str | None = None

    def load(self) -> Report:
        """Return the report."""
        return Report(**{name: getattr(self, name) for name in type(self).model_fields})


class ScoreFile(Record):
    """Contents of ``scores.json``.

    Attributes:
        epochs: best epoch of the run, or of each fold: those of other weights do not count.
    """

    epochs: tuple[int | None, ...] = ()
    scored: tuple[Scored, ...] = ()


def find_epochs(folders: Sequence[RunFolder]) -> list[int | None]:
    """Return the best epoch of a run, or of each fold."""
    return [folder.best_scores().get("epoch") for folder in folders]


def add_scores(folder: Path, report: Report, epochs: Sequence[int | None]) -> None:
    """Add a report to the scores of a run, in place of an earlier one of the same data.

    Args:
        epochs: best epoch of the run, or of each fold.

    Raises:
        OSError: where the file cannot be written.
    """
    before = [one for one in _read(folder, epochs) if one.scored != report.scored]
    kept = {name: getattr(report, name) for name in Scored.model_fields}
    own = Scored.model_validate_json(json.dumps(_plain(kept)))
    content = ScoreFile(epochs=tuple(epochs), scored=(*before, own)).model_dump(mode="json")
    write_text(folder / SCORES, json.dumps(content, indent=1) + "\n")


def read_scores(folder: Path, epochs: Sequence[int | None]) -> list[Report]:
    """Return the reports of a run's weights, the oldest first; of a damaged file none, which is said.

    Args:
        epochs: best epoch of the run, or of each fold.
    """
    return [one.load() for one in _read(folder, epochs)]


def _read(folder: Path, epochs: Sequence[int | None]) -> tuple[Scored, ...]:
    path = folder / SCORES
    try:
        content = ScoreFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError):
        remark(f"{path}: is damaged, so the scores in it are not used; evaluate the run anew")
        return ()
    return content.scored if content.epochs == tuple(epochs) else ()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, which has no word for NaN and infinity."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
