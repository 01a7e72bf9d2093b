"""Attributes of edges from columns of text: numbers as they are, words as a column of 0 and 1 for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.errors import InputError
from multiunet.wording import listing

MOST_WORDS = 64
"""Of a column; one of more is a name or a remark, and says nothing that can be learnt."""

NOT_ATTRIBUTES = ("weight", "id")
"""Columns that are something else: in any case of letters, unless asked for."""


@dataclass(frozen=True)
class Attributes:
    """Of edges.

    Attributes:
        values: ``(edges, K)``, float32, finite.
        names: of the columns, where there are names; that of a word is ``COLUMN=WORD``.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...] | None = None


def chosen(path: Path, known: Sequence[str], wanted: tuple[str, ...] | None) -> list[str]:
    """The columns that are attributes: those ``wanted``, or all ``known`` but weights and ids.

    Raises:
        InputError: naming a wanted column that is not there.
    """
    if wanted is None:
        return [name for name in known if name.lower() not in NOT_ATTRIBUTES]
    absent = [name for name in wanted if name not in known]
    if absent:
        raise InputError(
            f"{path}: edges have no {listing(absent)} (--edge-columns) but {listing(known) if known else 'nothing'}"
        )
    return list(wanted)


def from_columns(path: Path, columns: Mapping[str, Sequence[str]], place: Callable[[int], str]) -> Attributes | None:
    """Columns of text as numbers, but for those that are empty; None without any.

    Args:
        place: where the cell of an edge is, for errors.

    Raises:
        InputError: for a column of neither numbers nor few words, naming the cell.
    """
    parts = [_column(path, name, cells, place) for name, cells in columns.items() if any(cells)]
    if not parts:
        return None
    names = tuple(name for part in parts for name in part)
    return Attributes(np.stack([values for part in parts for values in part.values()], axis=1), names)


def _column(path: Path, name: str, cells: Sequence[str], place: Callable[[int], str]) -> dict[str, NDArray[np.float32]]:
    numbers = [finite(cell) for cell in cells]
    if all(number is None for number in numbers):
        return _words(path, name, cells)
    if None in numbers:
        edge = numbers.index(None)
        raise InputError(
            f"{path}, {place(edge)}: {name} is {cells[edge]!r}, but a number of other edges; fill it with a finite "
            "number, or name the columns to use by --edge-columns"
        )
    return {name: np.array(numbers, dtype=np.float32)}


def words_apart(path: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Features of nodes in which a column of words became one of 0 and 1 for each, ``COLUMN=WORD``; as text.

    Raises:
        InputError: for a column of too many words.
    """
    found: dict[str, Sequence[str]] = {}
    for name, cells in columns.items():
        if any(cells) and not any(map(_is_number, cells)):
            flags = _words(path, name, cells, "a feature of nodes", "--feature-columns")
            found |= {word: [str(int(flag)) for flag in column] for word, column in flags.items()}
        else:
            found[name] = cells
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def finite(cell: str) -> float | None:
    """The number that a cell holds; None where it holds none that is finite in 32 bits."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) <= float(np.finfo(np.float32).max) else None


def _words(
    path: Path, name: str, cells: Sequence[str], what: str = "an attribute of edges", option: str = "--edge-columns"
) -> dict[str, NDArray[np.float32]]:
    """An edge or node without a word has 0 in all columns."""
    found = np.array(cells, dtype=np.str_)
    words = sorted(set(found.tolist()) - {""})
    if len(words) > MOST_WORDS:
        raise InputError(
            f"{path}: {name} has {len(words)} different words; {what} is a number, or one of at most "
            f"{MOST_WORDS} words; name the columns to use by {option}"
        )
    return {f"{name}={word}": (found == word).astype(np.float32) for word in words}


def aligned(path: Path, given: Attributes, wanted: Sequence[str], whose: str, of: str = "edges") -> NDArray[np.float32]:
    """The columns ``wanted``, in this order; of a word that no edge has, zeros.

    Args:
        whose: who has the wanted columns, for errors.
        of: what has the columns, for errors.

    Raises:
        InputError: where there are others.
    """
    assert given.names is not None
    here, there = dict(zip(given.names, given.values.T)), set(wanted)
    absent = [name for name in wanted if name not in here and not _is_word_of(name, given.names)]
    more = [name for name in here if name not in there and not _is_word_of(name, wanted)]
    if absent or more:
        what = f"lack {listing(absent)}, which" if absent else f"have {listing(more)}, unlike those that"
        raise InputError(f"{path}: {of} {what} {whose}; give the same")
    nothing = np.zeros(len(given.values), np.float32)
    columns = np.array([here.get(name, nothing) for name in wanted], np.float32)
    return columns.reshape(len(wanted), len(given.values)).T


def _is_word_of(name: str, others: Sequence[str]) -> bool:
    """Whether this is a word of a column of which the others have words."""
    column, equals, _ = name.partition("=")
    return bool(equals) and any(other.startswith(f"{column}=") for other in others)
