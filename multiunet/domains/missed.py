"""Classes that the truth has and no prediction gives; a score of 0 is easily overlooked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from multiunet.domains.remarks import remark
from multiunet.wording import listing

NAMES = (("recall", "precision"), ("recall_per_class", "precision_per_class"))
"""Names of the scores by class, of classes and of independent labels."""

IN_A_ROW = 3
"""Validations after which a class that none of them predicted is named."""


def find_missed(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of classes that are there and never predicted; none of scores without recalls."""
    names = next((names for names in NAMES if {"classes", *names} <= set(metrics)), None)
    if names is None:
        return []
    rows = zip(metrics["classes"], *(metrics[name] for name in names))
    return [name for name, recall, precision in rows if recall is not None and precision is None]


class MissedInValidation:
    """Watch over the validations of a training, which names classes that stay unpredicted."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def look(self, scores: Mapping[str, Any]) -> None:
        """See the scores of one more validation."""
        missed = find_missed(scores)
        self._times = Counter({name: self._times[name] + 1 for name in missed})
        named = [name for name, times in self._times.items() if times == IN_A_ROW]
        if named:
            remark(
                f"validation: {IN_A_ROW} times in a row nothing was predicted as {listing(named)}, which the "
                "validation split has; such a class may come late, or never: see the last validations"
            )
