"""Result of an evaluation: scores of a model beside those of trivial methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from multiunet.domains.cases import Case
from multiunet.domains.verdict import judge
from multiunet.tasks import Curves

NOT_JSON = ("curves", "files", "notes", "main", "draw")
"""Fields of a report that ``evaluate --json`` does not print."""


@dataclass(frozen=True)
class Report:
    """Scores of a model, beside those of trivial methods on the same data.

    Attributes:
        scored: on what: ``test split``, say, or a folder.
        prediction: what was scored: "16 Monte-Carlo samples, seed 0", say.
        metrics: over all items. Of several folds also ``mean_of_folds`` and ``sd_of_folds`` of each score, and
            ``each_fold``.
        baselines: the same scores of each trivial method, by its name.
        items: scores of each item by name; of several folds with the item's ``fold``.
        curves: of the uncertainty of the model, if it states one: of classes one, of quantities one each.
        files: further files for whoever keeps the report, by name, each with what writes it to a path.
        notes: sentences on what the scores do not say.
        main: name of the score that says most, more of which is better; None: none does.
        draw: draws the best and the worst items with their predictions; None: there is nothing to draw.
    """

    domain: str
    scored: str
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, Any]]
    items: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prediction: str = ""
    curves: Sequence[Curves] = ()
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    main: str | None = None
    draw: Callable[[], Sequence[Case]] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> list[str]:
        """Sentences on where trivial methods are better than the model."""
        return judge(self.metrics, self.baselines)

    def as_dict(self) -> dict[str, Any]:
        """Return the report, but for its curves, pictures and further files, as plain JSON."""
        bare = asdict(replace(self, curves=(), files={}, draw=None))
        kept = {name: value for name, value in bare.items() if name not in NOT_JSON}
        return kept | {"verdict": self.verdict}
