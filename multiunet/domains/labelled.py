"""Labelled data that a model is scored on, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from multiunet.uncertainty import Moments
from multiunet.uncertainty.conformal import SetMethod


@dataclass(frozen=True)
class Labelled:
    """Labelled data to score on: a split of a run, or other data.

    Attributes:
        name: "test split", or the file or folder of other data.
        items: what the domain predicts and scores, by name.
        keys: of other data, the keys of each item (see ``DatasetInfo.seen``), by name; empty for a split of the run.
        remedy: of other data, what to do about an item that the run has seen, for the error: "leave it out".
    """

    name: str
    items: Mapping[str, Any]
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remedy: str = "leave it out"


@dataclass(frozen=True)
class Piece:
    """A piece of an item with its prediction and its target; the pieces of an item follow each other.

    Attributes:
        predicted, target, moments: see ``Score.add``.
        item: name of the item; None for data of one item, or whose items are too small for scores of their own.
        rows: without an item, the name of each row, which is exchangeable with others by itself: a graph of a set.
        counts: objects found in the whole item, and true ones; of each all, then those of each class. None where
            objects are not counted.
        region: slices of its sites in the item; None: it is the whole item.
        set_scores: by method of sets that looks beyond a site, the score of each class, of the shape of the moments.
    """

    predicted: Tensor
    target: Tensor
    moments: Moments[Tensor] | None = None
    item: str | None = None
    rows: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    region: tuple[slice, ...] | None = None
    set_scores: Mapping[SetMethod, Tensor] = field(default_factory=dict)


Baseline = Callable[[Labelled], Iterator[Piece] | None]
"""Trivial method, fitted to the training split; predicts labelled data as ``Domain.predict_labelled`` does. None: it
cannot predict these data."""
